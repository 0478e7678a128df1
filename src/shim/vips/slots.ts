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
  const shares = used.map((target) => ({ target, exact: (target.weight / total) * SLOTS }));
  const counts = shares.map(({ exact }) => Math.max(1, Math.floor(exact)));
  while (sum(counts) > SLOTS) take(counts, shares);
  while (sum(counts) < SLOTS) give(counts, shares);
  return shares.flatMap(({ target }, index) => Array<Target>(counts[index] ?? 0).fill(target));
}

type Share = { readonly exact: number };

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** From whom has most above its share; nobody loses the last slot. */
function take(counts: number[], shares: readonly Share[]): void {
  const surplus = counts.map((count, index) =>
    count > 1 ? count - (shares[index]?.exact ?? 0) : Number.NEGATIVE_INFINITY,
  );
  const index = surplus.indexOf(Math.max(...surplus));
  counts[index] = (counts[index] ?? 0) - 1;
}

/** To whom lacks most of its share. */
function give(counts: number[], shares: readonly Share[]): void {
  const lack = counts.map((count, index) => (shares[index]?.exact ?? 0) - count);
  const index = lack.indexOf(Math.max(...lack));
  counts[index] = (counts[index] ?? 0) + 1;
}

const byWeightThenAddress = (a: WeightedTarget, b: WeightedTarget): number =>
  b.weight - a.weight || (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port);
