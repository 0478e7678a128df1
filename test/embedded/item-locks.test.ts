import { setImmediate as tick } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ItemLocks } from '../../src/embedded/item-locks.ts';

describe('ItemLocks', () => {
  it('never lets two holders share a key, and never leaves one waiting', async () => {
    const keySets = fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd')), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(keySets, async (sets) => {
        const locks = new ItemLocks();
        const held = new Set<string>();
        const hold = (keys: string[]) =>
          locks.hold(keys, async () => {
            const mine = new Set(keys);
            expect(mine.isDisjointFrom(held)).toBe(true);
            for (const key of mine) held.add(key);
            await tick();
            for (const key of mine) held.delete(key);
          });
        await Promise.all(sets.map(hold));
      }),
    );
  });

  it('gives a key to its callers in the order they asked', async () => {
    const locks = new ItemLocks();
    const order: number[] = [];
    await Promise.all([1, 2, 3].map((n) => locks.hold(['a'], async () => void order.push(n))));
    expect(order).toEqual([1, 2, 3]);
  });

  it('frees the keys of work that failed', async () => {
    const locks = new ItemLocks();
    await expect(locks.hold(['a'], () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await locks.hold(['a'], async () => 'free')).toBe('free');
  });
});
