import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Claimant, orderMoves } from '../../src/cli/moves.ts';

type Hosts = Readonly<Record<string, readonly string[]>>;

const claimants = (wanted: Hosts): Claimant<string>[] =>
  Object.entries(wanted).map(([key, hosts]) => ({ item: key, key, hosts }));

/** `b+h` prepares b, which goes on claiming h. */
const order = (inForce: Hosts, wanted: Hosts): string =>
  orderMoves(claimants(wanted), new Map(Object.entries(inForce)))
    .map(({ item, keeps }) => [item, ...keeps].join('+'))
    .join(' ');

describe('the order of writes', () => {
  it.each<[string, Hosts, Hosts, string]>([
    ['is that of the file where nothing moves', { a: ['x'] }, { b: ['y'], a: ['x'], c: ['z'] }, 'b a c'],
    ['is that of the file where a host is only given up', { a: ['x', 'y'] }, { a: ['x'], b: ['z'] }, 'a b'],
    ['is that of the file where it is right already', { a: ['x', 'h'] }, { b: ['h'], a: ['x'] }, 'b a b'],
    ['puts who gains a host first', { a: ['x', 'h'] }, { a: ['x'], b: ['h'] }, 'b a b'],
    ['takes names as DNS does', { a: ['x', 'H.internal.'] }, { a: ['x'], b: ['h.INTERNAL'] }, 'b a b'],
    ['follows a chain', { a: ['x'], b: ['y'], c: ['z'] }, { a: ['n'], b: ['x'], c: ['y'] }, 'c b c a b'],
    ['splits a swap', { a: ['x'], b: ['y'] }, { a: ['y'], b: ['x'] }, 'a+x b a b'],
    ['splits a ring', { a: ['x'], b: ['y'], c: ['z'] }, { a: ['z'], b: ['x'], c: ['y'] }, 'a+x c b c a b'],
  ])('%s', (_, inForce, wanted, expected) => {
    expect(order(inForce, wanted)).toBe(expected);
  });

  it('leaves alone an object that is there twice', () => {
    const twice = [...claimants({ a: ['h'] }), ...claimants({ a: ['x'], b: ['h'] })];
    const steps = orderMoves(twice, new Map([['a', ['h']]]));
    expect(steps.map(({ item, keeps }) => [item, ...keeps])).toEqual([['a'], ['a'], ['b']]);
  });

  it('moves one host on through 20,000 entries', () => {
    const count = 20_000;
    const hosts = (shift: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`e${i}`, [`h${(i + shift) % count}`]]));
    const steps = orderMoves(claimants(hosts(1)), new Map(Object.entries(hosts(0))));
    expect(steps.filter(({ keeps }) => keeps.length > 0)).toHaveLength(1);
    expect(steps.filter(({ isLast }) => isLast)).toHaveLength(count);
  });

  it('leaves every host that is claimed before and after claimed at every step, and every object as it shall be', () => {
    const entries = fc.dictionary(
      fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      fc.uniqueArray(fc.constantFrom('u', 'v', 'w', 'x', 'y', 'z'), { minLength: 1 }),
    );
    fc.assert(
      fc.property(entries, entries, (inForce, wanted) => {
        const state = new Map<string, readonly string[]>(Object.entries(inForce));
        const claimed = (): Set<string> => new Set([...state.values()].flat());
        const after = new Set<string>(Object.values({ ...inForce, ...wanted }).flat());
        const kept = [...claimed()].filter((host) => after.has(host));
        for (const { item, keeps } of orderMoves(claimants(wanted), new Map(state))) {
          state.set(item, [...(wanted[item] ?? []), ...keeps]);
          expect(kept.filter((host) => !claimed().has(host))).toEqual([]);
        }
        expect(Object.fromEntries(state)).toEqual({ ...inForce, ...wanted });
      }),
      { numRuns: 2000 },
    );
  });
});
