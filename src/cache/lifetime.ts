import { Rcode, RRType } from '../dns/constants.ts';
import { uint16 } from '../dns/octets.ts';
import { type RecordAt, rcodeOf } from '../dns/walk.ts';

/** No upstream's word is taken for longer than a day. */
const MAX_SECONDS = 86_400;
/** A name may be registered right after somebody asked for it in vain. */
const MAX_NEGATIVE_SECONDS = 60;
/** RFC 9520 section 3.2: long enough to spare a failing upstream, short enough to see it recover. */
export const FAILURE_SECONDS = 5;

export const isFailure = (response: Uint8Array): boolean => rcodeOf(response) === Rcode.servFail;

/** How many seconds a forwarded response is kept; `fresh` is what it says of itself, if it may be cached at all. */
export function keptSeconds(
  response: Uint8Array,
  records: readonly RecordAt[],
  fresh: number | undefined,
  failureSeconds: number,
): number {
  if (isFailure(response)) return failureSeconds;
  return Math.min(fresh ?? 0, isDenial(response, records) ? MAX_NEGATIVE_SECONDS : MAX_SECONDS);
}

/** Of a name, or of data; also where it is a CNAME's target that has none: the SOA says so (RFC 2308 section 2.2). */
const isDenial = (response: Uint8Array, records: readonly RecordAt[]): boolean =>
  rcodeOf(response) === Rcode.nxDomain ||
  uint16(response, 6) === 0 ||
  records.some(({ section, type }) => section === 'authority' && type === RRType.SOA);
