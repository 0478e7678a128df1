import { describe, expect, it } from 'vitest';
import type { Faults } from '../../src/embedded/faults.ts';
import { capacityOf, createPool, isUsableSlot } from '../../src/vip/pool.ts';
import {
  DEFAULT_POOL,
  deadline,
  openTestRegistry,
  serviceEntry,
  type TestRegistry,
  TOMBSTONE_MS,
} from '../support/registry.ts';
import { allocateAll } from './fill-pool.ts';
import { countRoundTrips, fillPool } from './filled-pool.ts';

const auto = (name: string) => serviceEntry(name, { hosts: [`${name}.example.internal`] });

describe('a pool that fills up', () => {
  it('gives out its last address, refuses the next with its figures, and has room again after a tombstone', {
    timeout: 60_000,
  }, async () => {
    const registry = await openTestRegistry();
    let free = 0;
    await fillPool(registry, (slot) => isUsableSlot(registry.pool, slot) && slot % 331 === 7 && ++free <= 190);
    const hosts = Array.from({ length: 180 }, (_, index) => `h${index}.big.internal`);
    expect((await registry.apply(serviceEntry('big', { hosts }))).kind).toBe('created');
    for (let index = 0; index < 10; index++) expect((await registry.apply(auto(`e${index}`))).kind).toBe('created');
    const refused = await registry.apply(auto('late'));
    expect(refused).toMatchObject({ kind: 'rejected', reason: 'VipPoolExhausted' });
    if (refused.kind !== 'rejected') throw new Error(refused.kind);
    expect(refused.message).toContain('240.240.0.0/16 has 65024 addresses, 65024 in use, 0 released');
    expect(refused.message).toContain('0 free');
    const vip = await registry.vipOf('e4.example.internal');
    expect((await registry.remove('e4')).kind).toBe('deleted');
    expect(await registry.apply(auto('late'))).toMatchObject({ reason: 'VipPoolExhausted' });
    registry.clock.now += TOMBSTONE_MS;
    expect((await registry.apply(auto('late'))).kind).toBe('created');
    expect(await registry.vipOf('late.example.internal')).toBe(vip);
  });

  it('is filled exactly by real allocations of eight writers', { timeout: 60_000 }, async () => {
    expect(await allocateAll(createPool({ ipv4: '240.240.0.0/22', ipv6: '2001:2::/64' }))).toBe(1016);
  });

  it('has 65,024 addresses by default', () => {
    expect(capacityOf(DEFAULT_POOL)).toBe(65_024);
  });
});

describe('a new host costs at most three round trips', () => {
  const applyCounted = async (registry: TestRegistry): Promise<number> => {
    const { faults, count } = countRoundTrips();
    expect((await registry.anotherWriter(faults).apply(auto('auto'), {}, deadline())).kind).toBe('created');
    return count();
  };

  it.each([
    ['empty', () => true],
    ['half full', (slot: number) => slot % 2 === 1],
    ['99 % full', (slot: number) => slot % 100 === 1],
    ['99.9 % full', (slot: number) => slot % 1000 === 1],
    ['full but for one address', (slot: number) => slot === 65_000],
  ])('of a pool that is %s', async (_fill, isFree) => {
    const registry = await openTestRegistry();
    await fillPool(registry, isFree);
    expect(await applyCounted(registry)).toBeLessThanOrEqual(3);
  });

  it.each([
    ['that is given back to its last holder', 'auto'],
    ['that somebody else has had', 'holder'],
  ])('of a full pool, for an address %s', async (_whose, name) => {
    const registry = await openTestRegistry();
    await registry.apply(auto(name));
    const vip = await registry.vipOf(`${name}.example.internal`);
    await registry.remove(name);
    registry.clock.now += TOMBSTONE_MS;
    await fillPool(registry, () => false);
    expect(await applyCounted(registry)).toBeLessThanOrEqual(3);
    expect(await registry.vipOf('auto.example.internal')).toBe(vip);
  });
});

describe('1,000 applies at once', () => {
  it('through conflicts, with 8 writers: no error, no address twice', { timeout: 60_000 }, async () => {
    const registry = await openTestRegistry();
    let transactions = 0;
    const conflicting: Faults = {
      before: ({ operation }) =>
        operation === 'TransactWriteItems' && ++transactions % 5 === 0 ? { kind: 'conflict' } : undefined,
    };
    const writers = Array.from({ length: 8 }, () => registry.anotherWriter(conflicting));
    const signal = AbortSignal.timeout(55_000);
    const outcomes = await Promise.all(
      Array.from({ length: 1000 }, (_, index) => writers[index % 8]?.apply(auto(`e${index}`), {}, signal)),
    );
    expect(outcomes.filter((outcome) => outcome?.kind !== 'created')).toEqual([]);
    const addresses = outcomes.flatMap((outcome) =>
      outcome && outcome.kind !== 'rejected' ? (outcome.entry.status?.addresses ?? []).map(({ value }) => value) : [],
    );
    expect(new Set(addresses).size).toBe(2000);
  });
});
