import { RRType } from './constants.ts';
import { uint16 } from './octets.ts';
import { EdnsOption, OPTION_HEADER_OCTETS } from './query.ts';
import { recordsOf } from './walk.ts';

/** The info codes of the extended errors in a message (RFC 8914 section 2); none where it is malformed. */
export function extendedErrorCodes(wire: Uint8Array): number[] {
  const opt = recordsOf(wire)?.find(({ section, type }) => section === 'additional' && type === RRType.OPT);
  const codes: number[] = [];
  for (let at = opt?.rdataOffset ?? 0; opt !== undefined && at < opt.end; ) {
    const data = at + OPTION_HEADER_OCTETS;
    const next = data + uint16(wire, at + 2);
    if (next > opt.end) break;
    if (uint16(wire, at) === EdnsOption.extendedError && next - data >= 2) codes.push(uint16(wire, data));
    at = next;
  }
  return codes;
}
