import { expect, it } from 'vitest';
import { growthPerMinute, type Sample } from './trend.ts';

const samples = (octetsAt: (at: number) => number): Sample[] =>
  Array.from({ length: 61 }, (_, n) => ({ at: 2 * n, octets: octetsAt(2 * n) }));

it('memory that goes up and down about the same has no growth', () => {
  expect(Math.abs(growthPerMinute(samples((at) => 1_000_000 + (at % 4 === 0 ? 5_000 : -5_000))))).toBeLessThan(0.001);
});

it('memory that grows by a hundredth of its mean in a minute grows by 1 %', () => {
  expect(growthPerMinute(samples((at) => 1_000_000 + (at - 60) * (10_000 / 60)))).toBeCloseTo(0.01, 6);
});

it('memory that shrinks has a negative growth', () => {
  expect(growthPerMinute(samples((at) => 1_000_000 - at * 100))).toBeLessThan(0);
});
