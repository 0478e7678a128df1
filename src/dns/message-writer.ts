import { type DomainName, labelsOf, ROOT, unescapeLabel } from './name.ts';

/** The most a length field over TCP can say (RFC 1035 section 4.2.2). */
export const MAX_MESSAGE_OCTETS = 0xffff;

const MAX_POINTER_TARGET = 0x3fff;
const QNAME_AT = 12;

/** Shared by all writers: encoding a message is synchronous, and what leaves is a copy. */
const SCRATCH = Buffer.allocUnsafeSlow(MAX_MESSAGE_OCTETS);

/**
 * Writes one message, front to back; at most one writer is in use at any time. Octets past the largest message
 * vanish but count in `length`, so a record that does not fit is seen after the fact and taken back.
 */
export class MessageWriter {
  length = 0;
  readonly #qname: DomainName | undefined;
  /** Where a suffix was written; filled on the first name that is not the qname. */
  #suffixes: Map<string, number> | undefined;

  /** `qname` is the name of the question, which is written as octets, right after the header. */
  constructor(qname: DomainName | undefined) {
    this.#qname = qname;
  }

  uint8(value: number): void {
    SCRATCH[this.length++] = value;
  }

  uint16(value: number): void {
    this.uint16At(this.length, value);
    this.length += 2;
  }

  uint16At(offset: number, value: number): void {
    SCRATCH[offset] = value >>> 8;
    SCRATCH[offset + 1] = value;
  }

  uint32(value: number): void {
    this.uint16(value >>> 16);
    this.uint16(value & 0xffff);
  }

  octets(values: ArrayLike<number>): void {
    for (let index = 0; index < values.length; index++) this.uint8(values[index] ?? 0);
  }

  /** A `<character-string>` of RFC 1035 section 3.3. */
  characterString(text: string): void {
    const octets = Buffer.from(text);
    if (octets.length > 255) throw new RangeError(`a character string of ${octets.length} octets; at most 255 fit`);
    this.uint8(octets.length);
    this.octets(octets);
  }

  /** A name, its longest suffix that was written before replaced by a pointer (RFC 1035 section 4.1.4). */
  name(name: DomainName): void {
    if (name === this.#qname && name !== ROOT) this.uint16(0xc000 | QNAME_AT);
    else this.#compressed(name);
  }

  uncompressedName(name: DomainName): void {
    for (const label of labelsOf(name)) this.#label(label);
    this.uint8(0);
  }

  /** A copy of the first `length` octets. */
  finish(): Buffer {
    return Buffer.from(SCRATCH.subarray(0, this.length));
  }

  #compressed(name: DomainName): void {
    this.#suffixes ??= suffixesOf(this.#qname);
    let rest: string = name;
    for (const label of labelsOf(name)) {
      const target = this.#suffixes.get(rest);
      if (target !== undefined) {
        this.uint16(0xc000 | target);
        return;
      }
      if (this.length <= MAX_POINTER_TARGET) this.#suffixes.set(rest, this.length);
      this.#label(label);
      rest = rest.slice(label.length + 1);
    }
    this.uint8(0);
  }

  #label(label: string): void {
    const octets = unescapeLabel(label);
    this.uint8(octets.length);
    for (let index = 0; index < octets.length; index++) this.uint8(octets.charCodeAt(index));
  }
}

/** Where the suffixes of the qname are, the root left out. */
function suffixesOf(qname: DomainName | undefined): Map<string, number> {
  const suffixes = new Map<string, number>();
  if (qname === undefined) return suffixes;
  let rest: string = qname;
  let at = QNAME_AT;
  for (const label of labelsOf(qname)) {
    suffixes.set(rest, at);
    at += 1 + unescapeLabel(label).length;
    rest = rest.slice(label.length + 1);
  }
  return suffixes;
}
