import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inOrder, oneByOne } from '../../src/cli/in-order.ts';

async function all<T>(results: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const result of results) seen.push(result);
  return seen;
}

describe('inOrder', () => {
  it('gives the results in the order of the items, however long each takes, within its limit', async () => {
    const delays = fc.array(fc.nat(3), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(delays, fc.integer({ min: 1, max: 5 }), async (items, limit) => {
        let underWay = 0;
        const work = async (delay: number) => {
          underWay += 1;
          expect(underWay).toBeLessThanOrEqual(limit);
          await sleep(delay);
          underWay -= 1;
          return delay;
        };
        expect(await all(inOrder(items, limit, work))).toEqual(items);
      }),
      { numRuns: 30 },
    );
  });

  it('ends at the first failure, in the order of the items', async () => {
    const seen: number[] = [];
    const work = async (item: number) => {
      if (item === 1) await sleep(5);
      if (item > 0) throw new Error(`failed at ${item}`);
      return item;
    };
    const run = async () => {
      for await (const result of inOrder([0, 1, 2], 3, work)) seen.push(result);
    };
    await expect(run()).rejects.toThrow('failed at 1');
    expect(seen).toEqual([0]);
  });
});

describe('oneByOne', () => {
  it('keeps items with a key in common apart, and no others', async () => {
    const events: string[] = [];
    const work = oneByOne(
      (item: string) => [...item],
      async (item: string) => {
        events.push(`${item} begins`);
        await sleep(1);
        events.push(`${item} ends`);
      },
    );
    await Promise.all(['ab', 'c', 'bd', 'd'].map(work));
    expect(events.slice(0, 2)).toEqual(['ab begins', 'c begins']);
    expect(events.filter((event) => !event.startsWith('c'))).toEqual([
      'ab begins',
      'ab ends',
      'bd begins',
      'bd ends',
      'd begins',
      'd ends',
    ]);
  });

  it('goes on after one that failed', async () => {
    const work = oneByOne(
      () => ['same'],
      async (item: string) => {
        if (item === 'bad') throw new Error('bad');
        return item;
      },
    );
    const results = await Promise.allSettled(['bad', 'good'].map(work));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });
});
