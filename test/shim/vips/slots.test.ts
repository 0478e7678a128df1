import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SLOTS, slotsOf } from '../../../src/shim/vips/slots.ts';
import type { WeightedTarget } from '../../../src/shim/vips/targets.ts';

const target = (address: string, weight: number): WeightedTarget => ({ address, port: 80, weight });

const counts = (targets: readonly WeightedTarget[]): Record<string, number> => {
  const found: Record<string, number> = {};
  for (const { address } of slotsOf(targets)) found[address] = (found[address] ?? 0) + 1;
  return found;
};

describe('the slots of a listener', () => {
  it.each([
    ['equal weights', [target('a', 1), target('b', 1)], { a: 8, b: 8 }],
    ['one to three', [target('a', 1), target('b', 3)], { a: 4, b: 12 }],
    ['three equal ones', [target('a', 1), target('b', 1), target('c', 1)], { a: 6, b: 5, c: 5 }],
    ['a small share', [target('a', 1), target('b', 99)], { a: 1, b: 15 }],
    ['fractions, as of a name with three addresses', [target('a', 1 / 3), target('b', 1)], { a: 4, b: 12 }],
  ])('are shared by weight: %s', (_, targets, expected) => {
    expect(counts(targets)).toEqual(expected);
  });

  it('go to the heaviest of more targets than there are slots', () => {
    const targets = Array.from({ length: 40 }, (_, index) => target(`t${index}`, index === 39 ? 5 : 1));
    const found = counts(targets);
    expect(Object.keys(found)).toHaveLength(SLOTS);
    expect(found.t39).toBe(1);
  });

  it('are all used, each target has one, and none is two away from its share', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: SLOTS });
    fc.assert(
      fc.property(weights, (weights) => {
        const targets = weights.map((weight, index) => target(`t${index}`, weight));
        const found = counts(targets);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        expect(slotsOf(targets)).toHaveLength(SLOTS);
        for (const { address, weight } of targets) {
          const share = (weight / total) * SLOTS;
          expect(found[address]).toBeGreaterThanOrEqual(1);
          if (share >= 1 && Math.min(...weights) * SLOTS >= total)
            expect(Math.abs((found[address] ?? 0) - share)).toBeLessThan(2);
        }
      }),
    );
  });
});
