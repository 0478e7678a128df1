import { RRType } from '../dns/constants.ts';
import type { RecordAt } from '../dns/walk.ts';

/** Address records of equal size, one after the other, that may change places. */
export interface Rotation {
  readonly start: number;
  /** Octets of one record. */
  readonly size: number;
  readonly count: number;
}

const POINTER_OCTETS = 2;

/**
 * The addresses at the end of the answer section. Their owners have to be pointers, so that no pointer leads into
 * them. Undefined when there are fewer than two.
 */
export function rotationOf(wire: Uint8Array, records: readonly RecordAt[]): Rotation | undefined {
  const answers = records.filter(({ section }) => section === 'answer');
  const last = answers.at(-1);
  if (last === undefined || (last.type !== RRType.A && last.type !== RRType.AAAA)) return undefined;
  const size = last.end - last.offset;
  const differs = (record: RecordAt): boolean =>
    record.type !== last.type || record.end - record.offset !== size || !isOwnedByPointer(wire, record);
  const count = answers.length - 1 - answers.findLastIndex(differs);
  return count < 2 ? undefined : { start: last.end - count * size, size, count };
}

const isOwnedByPointer = (wire: Uint8Array, { offset, ttlOffset }: RecordAt): boolean =>
  (wire[offset] ?? 0) >= 0xc0 && ttlOffset - offset === POINTER_OCTETS + 4;

/** Puts the record at index `first` in front, and those before it behind the others. */
export function rotate(wire: Buffer, { start, size, count }: Rotation, first: number): void {
  const middle = start + first * size;
  const end = start + count * size;
  const before = Buffer.from(wire.subarray(start, middle));
  wire.copyWithin(start, middle, end);
  wire.set(before, end - before.length);
}
