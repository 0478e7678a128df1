import { HEADER_OCTETS } from '../dns/query.ts';

const LENGTH_OCTETS = 2;

export type Frame =
  | { readonly kind: 'message'; readonly wire: Buffer }
  /** The rest has not arrived. */
  | { readonly kind: 'incomplete' }
  /** A length that no query has: what follows cannot be told apart any more. */
  | { readonly kind: 'malformed' };

const NO_OCTETS = Buffer.alloc(0);
const INCOMPLETE: Frame = { kind: 'incomplete' };
const MALFORMED: Frame = { kind: 'malformed' };

/** Takes a TCP stream apart into its messages (RFC 1035 section 4.2.2), however it was cut into chunks. */
export class FrameReader {
  readonly #maxOctets: number;
  #pending: Buffer = NO_OCTETS;

  constructor(maxOctets: number) {
    this.#maxOctets = maxOctets;
  }

  push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
  }

  /** The next message; the octets after it are kept. */
  next(): Frame {
    if (this.#pending.length < LENGTH_OCTETS) return INCOMPLETE;
    const end = LENGTH_OCTETS + this.#pending.readUInt16BE(0);
    if (end < LENGTH_OCTETS + HEADER_OCTETS || end > LENGTH_OCTETS + this.#maxOctets) return MALFORMED;
    if (this.#pending.length < end) return INCOMPLETE;
    const wire = this.#pending.subarray(LENGTH_OCTETS, end);
    // An empty view would keep the whole chunk of an idle connection in memory.
    this.#pending = end === this.#pending.length ? NO_OCTETS : this.#pending.subarray(end);
    return { kind: 'message', wire };
  }
}

/** A message with its length before it, in one piece so that it leaves in one segment (RFC 7766 section 8). */
export function framed(wire: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(LENGTH_OCTETS + wire.length);
  frame.writeUInt16BE(wire.length, 0);
  frame.set(wire, LENGTH_OCTETS);
  return frame;
}
