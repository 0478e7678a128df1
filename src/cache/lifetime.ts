import { Rcode } from '../dns/constants.ts';
import { isDenial, MAX_DENIAL_SECONDS, type RecordAt, rcodeOf } from '../dns/walk.ts';

/** No upstream's word is taken for longer than a day. */
const MAX_SECONDS = 86_400;
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
  return Math.min(fresh ?? 0, isDenial(response, records) ? MAX_DENIAL_SECONDS : MAX_SECONDS);
}
