import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';

const OCTETS = 32_768;

/**
 * Names that hosts need, as bits of their hashes, small enough to travel with a continue token. Two names may share a
 * bit: then one that nothing needs is taken for needed until another run, whose salt parts them.
 */
export class SeenNames {
  readonly #bits: Buffer;
  readonly #salt: string;

  constructor(salt: string, bits: Buffer = Buffer.alloc(OCTETS)) {
    this.#salt = salt;
    this.#bits = bits;
  }

  /** @throws RangeError for what `encode` did not make. */
  static decode(salt: string, text: string): SeenNames {
    const bits = inflateRawSync(Buffer.from(text, 'base64url'), { maxOutputLength: OCTETS });
    if (bits.length !== OCTETS) throw new RangeError('a set of names has another size');
    return new SeenNames(salt, bits);
  }

  encode(): string {
    return deflateRawSync(this.#bits).toString('base64url');
  }

  add(name: string): void {
    const { octet, mask } = this.#place(name);
    this.#bits[octet] = (this.#bits[octet] ?? 0) | mask;
  }

  has(name: string): boolean {
    const { octet, mask } = this.#place(name);
    return ((this.#bits[octet] ?? 0) & mask) !== 0;
  }

  #place(name: string): { readonly octet: number; readonly mask: number } {
    const bit = createHash('sha256').update(`${this.#salt}/${name}`).digest().readUInt32BE() % (OCTETS * 8);
    return { octet: bit >> 3, mask: 1 << (bit & 7) };
  }
}
