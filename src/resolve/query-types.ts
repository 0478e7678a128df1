import { endOfName } from '../dns/name.ts';
import { uint16 } from '../dns/octets.ts';
import { HEADER_OCTETS } from '../dns/query.ts';

/** The query types that metrics tell apart: a client chooses from 65,536, and each label value is a series for ever. */
export class QueryTypes {
  /** Of the types and, in the last place, all others. */
  readonly count: number;
  readonly #names: readonly string[];
  /** By type: a table costs less than a map where every answer looks into it. */
  readonly #index: Uint8Array;

  /** `numbers` by name. */
  constructor(numbers: Readonly<Record<string, number>>) {
    const types = Object.values(numbers);
    this.#names = Object.keys(numbers);
    this.count = types.length + 1;
    this.#index = new Uint8Array(Math.max(...types) + 1).fill(types.length);
    for (const [index, type] of types.entries()) this.#index[type] = index;
  }

  label(index: number): string {
    return this.#names[index] ?? 'other';
  }

  /** Of the type that a message asks for. */
  indexOf(wire: Uint8Array): number {
    const other = this.#names.length;
    if (wire.length < HEADER_OCTETS || uint16(wire, 4) !== 1) return other;
    const end = endOfName(wire, HEADER_OCTETS);
    return end === undefined || end + 2 > wire.length ? other : (this.#index[uint16(wire, end)] ?? other);
  }
}
