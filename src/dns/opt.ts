import { RRType } from './constants.ts';
import { MAX_MESSAGE_OCTETS } from './message-writer.ts';
import { setUint16 } from './octets.ts';
import { type Edns, EdnsOption, OPTION_HEADER_OCTETS, RR_FIXED_OCTETS } from './query.ts';

/** An extended DNS error (RFC 8914). */
export interface ExtendedError {
  readonly code: number;
  readonly text?: string;
}

/** An OPT without options. */
export const OPT_OCTETS = 1 + RR_FIXED_OCTETS;

/** What we take over UDP: fits any path without fragments. */
const UDP_SIZE = 1232;
/** RFC 8467 section 4.1. */
const PADDING_BLOCK = 468;

/** The whole option (RFC 8914 section 2). */
export function encodeExtendedError({ code, text = '' }: ExtendedError): Buffer {
  const octets = Buffer.from(text);
  const option = Buffer.alloc(OPTION_HEADER_OCTETS + 2 + octets.length);
  setUint16(option, 0, EdnsOption.extendedError);
  setUint16(option, 2, 2 + octets.length);
  setUint16(option, 4, code);
  option.set(octets, OPTION_HEADER_OCTETS + 2);
  return option;
}

/**
 * The OPT of a response, which ends it after `octetsBefore`: the upper bits of `rcode`, version 0, DO as in the
 * query (RFC 6891 section 6.1.3), `options`, and padding if the query was padded.
 */
export function encodeOpt(edns: Edns, rcode: number, options: Buffer, octetsBefore: number): Buffer {
  const unpadded = OPT_OCTETS + options.length;
  const padding = edns.padded ? paddingAfter(octetsBefore + unpadded) : undefined;
  const opt = Buffer.alloc(unpadded + (padding === undefined ? 0 : OPTION_HEADER_OCTETS + padding));
  setUint16(opt, 1, RRType.OPT);
  setUint16(opt, 3, UDP_SIZE);
  opt[5] = rcode >>> 4;
  opt[7] = edns.do ? 0x80 : 0;
  setUint16(opt, OPT_OCTETS - 2, opt.length - OPT_OCTETS);
  opt.set(options, OPT_OCTETS);
  if (padding !== undefined) {
    setUint16(opt, unpadded, EdnsOption.padding);
    setUint16(opt, unpadded + 2, padding);
  }
  return opt;
}

/** Length of the padding that makes a message of `octets` a multiple of the block; undefined where none fits. */
function paddingAfter(octets: number): number | undefined {
  const unpadded = octets + OPTION_HEADER_OCTETS;
  if (unpadded > MAX_MESSAGE_OCTETS) return undefined;
  return Math.min(Math.ceil(unpadded / PADDING_BLOCK) * PADDING_BLOCK, MAX_MESSAGE_OCTETS) - unpadded;
}
