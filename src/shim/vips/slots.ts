import type { Target, WeightedTarget } from './targets.ts';

/** Steps in which new connections of one port are shared among its targets. */
export const SLOTS = 16;

/**
 * Shares the slots by weight (largest remainders); each target has one slot at least. Of more targets than slots,
 * those with the largest weights are used.
 */
export function slotsOf(targets: readonly WeightedTarget[]): readonly Target[] {
  const used = [...targets].sort(byWeightThenAddress).slice(0, SLOTS);
  const total = used.reduce((sum, { weight }) => sum + weight, 0);
  const shares = used.map(({ weight }) => (weight / total) * SLOTS);
  const counts = shares.map((share) => Math.max(1, Math.floor(share)));
  for (let left = SLOTS - sum(counts); left !== 0; left = SLOTS - sum(counts)) move(counts, shares, Math.sign(left));
  return used.flatMap((target, index) => Array<Target>(counts[index] ?? 0).fill(target));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** Gives one slot (1) to whom lacks most of its share, or takes one (-1) from whom has most above it, but never the last. */
function move(counts: number[], shares: readonly number[], step: number): void {
  const needs = counts.map((count, index) =>
    count + step < 1 ? Number.NEGATIVE_INFINITY : step * ((shares[index] ?? 0) - count),
  );
  const index = needs.indexOf(Math.max(...needs));
  counts[index] = (counts[index] ?? 0) + step;
}

const byWeightThenAddress = (a: WeightedTarget, b: WeightedTarget): number =>
  b.weight - a.weight || (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port);
