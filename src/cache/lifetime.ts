import { Rcode } from '../dns/constants.ts';
import { uint16 } from '../dns/octets.ts';
import { rcodeOf } from '../dns/walk.ts';

/** No upstream's word is taken for longer than a day. */
const MAX_SECONDS = 86_400;
/** A name may be registered right after somebody asked for it in vain. */
const MAX_NEGATIVE_SECONDS = 60;
/** RFC 9520 section 3.2: long enough to spare a failing upstream, short enough to see it recover. */
const FAILURE_SECONDS = 5;

export const isFailure = (response: Uint8Array): boolean => rcodeOf(response) === Rcode.servFail;

/** How many seconds a forwarded response is kept; `fresh` is what it says of itself, if it may be cached at all. */
export function keptSeconds(response: Uint8Array, fresh: number | undefined): number {
  if (isFailure(response)) return FAILURE_SECONDS;
  const denies = rcodeOf(response) === Rcode.nxDomain || uint16(response, 6) === 0;
  return Math.min(fresh ?? 0, denies ? MAX_NEGATIVE_SECONDS : MAX_SECONDS);
}
