import { describe, expect, it } from 'vitest';
import { activatePool } from '../../src/registry/dynamodb-open.ts';
import { createPool } from '../../src/vip/pool.ts';
import {
  deadline,
  openTestRegistry,
  serviceEntry,
  TABLE,
  type TestRegistry,
  TOMBSTONE_MS,
} from '../support/registry.ts';
import { dieAfterTransaction, killBeforeTransaction, meet, Stop, stopBeforeTransaction } from './meeting.ts';
import { addressed, auto, fill, many, PENDING_MS, TINY_POOL } from './small-world.ts';
import { expectSound } from './sound-table.ts';

// One test for each condition of a transaction: it fails when that condition is taken away.

const dieBefore = async (registry: TestRegistry, nth: number, entry: ReturnType<typeof many>): Promise<void> => {
  const { died, faults } = killBeforeTransaction(nth);
  void registry
    .anotherWriter(faults)
    .apply(entry, {}, deadline())
    .catch(() => undefined);
  await died;
};

describe('the item of an entry', () => {
  it('has no resourceVersion when the entry is created', async () => {
    const registry = await openTestRegistry();
    const a = serviceEntry('one', { hosts: ['a.internal'] });
    const b = serviceEntry('one', { hosts: ['b.internal'] });
    await meet(registry, a, () => registry.apply(b));
    await expectSound(registry);
  });

  it('has the resourceVersion that was read', async () => {
    const registry = await openTestRegistry();
    await registry.apply(serviceEntry('one', { hosts: ['a.internal'] }));
    const c = serviceEntry('one', { hosts: ['c.internal'] });
    await meet(registry, c, () => registry.apply(serviceEntry('one', { hosts: ['b.internal', 'd.internal'] })));
    await expectSound(registry);
  });

  it('announces no write when none was read', async () => {
    const registry = await openTestRegistry();
    await registry.apply(many(2));
    const outcome = meet(registry, many(3), () => dieBefore(registry, 3, many(70)));
    while (!(await expectSound(registry)).entries.get('default/many')?.pending) await new Promise(setImmediate);
    registry.clock.now += PENDING_MS;
    expect((await outcome).kind).toBe('configured');
    await expectSound(registry);
  });

  it('announces the write that is being taken over', async () => {
    const registry = await openTestRegistry();
    await dieBefore(registry, 2, many(70));
    registry.clock.now += PENDING_MS;
    const { stop, faults } = stopBeforeTransaction();
    const outcome = registry.anotherWriter(faults).apply(many(3), {}, deadline());
    await stop.arrived;
    await dieBefore(registry, 3, many(70, {}, 'x'));
    registry.clock.now += PENDING_MS;
    stop.release();
    expect((await outcome).kind).toBe('created');
    await expectSound(registry);
  });

  it('still announces the write that a part belongs to', async () => {
    const registry = await openTestRegistry();
    const { asleep, died, faults } = dieAfterTransaction(3);
    void registry
      .anotherWriter(faults)
      .apply(many(70), {}, deadline())
      .catch(() => undefined);
    await asleep.arrived;
    registry.clock.now += PENDING_MS;
    expect((await registry.apply(many(2))).kind).toBe('created');
    asleep.release();
    await died;
    await expectSound(registry);
  });
});

describe('the item of an entry, whatever is done to it', () => {
  it('has not changed when it is deleted', async () => {
    const registry = await openTestRegistry();
    await registry.apply(serviceEntry('one', { hosts: ['a.internal'] }));
    const { stop, faults } = stopBeforeTransaction();
    const outcome = registry.anotherWriter(faults).remove('default', 'one', {}, deadline());
    await stop.arrived;
    await registry.apply(serviceEntry('one', { hosts: ['a.internal', 'b.internal'] }));
    stop.release();
    expect((await outcome).kind).toBe('deleted');
    await expectSound(registry);
  });

  it('has not been announced anew when an announcement is withdrawn', async () => {
    const registry = await openTestRegistry();
    await registry.apply(many(2));
    const asleep = new Stop();
    let transactions = 0;
    const writer = registry.anotherWriter({
      before: async ({ operation }) => {
        if (operation !== 'TransactWriteItems') return undefined;
        transactions++;
        if (transactions === 2) await registry.apply(addressed('other', ['192.0.2.1'], 'h99.many.internal'));
        return transactions === 3 ? asleep.arrive() : undefined;
      },
    });
    const outcome = writer.apply(many(100), {}, deadline());
    await asleep.arrived;
    registry.clock.now += PENDING_MS;
    await dieBefore(registry, 3, many(70, {}, 'x'));
    asleep.release();
    expect(await outcome).toMatchObject({ kind: 'rejected', reason: 'Invalid' });
    await expectSound(registry);
  });
});

describe('the item of a host', () => {
  it('has no revision where the namespace has never been', async () => {
    const registry = await openTestRegistry();
    await meet(registry, auto('second', 'a.internal'), () => registry.apply(auto('first', 'a.internal')));
    await expectSound(registry);
  });

  it('has the revision that was read, when a claim may be the last of its kind', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('first', 'a.internal'));
    await registry.apply(auto('second', 'a.internal'));
    const none = serviceEntry('first', { hosts: ['a.internal'], resolution: 'NONE' });
    await meet(registry, none, () => registry.remove('second'));
    await expectSound(registry);
  });

  it('has the signature that was read, when a claim joins others', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('first', 'a.internal'));
    await meet(registry, auto('second', 'a.internal'), () => registry.remove('first'));
    await expectSound(registry);
  });

  /** A tombstone of `a.internal` that is over and pinned, so that the host has had to take another address. */
  async function leaveForAnother(registry: TestRegistry, moveOn: () => Promise<TestRegistry['writer']>): Promise<void> {
    await fill(registry, 2);
    await registry.apply(auto('one', 'a.internal'));
    const vip = (await registry.vipOf('a.internal')) ?? '';
    await registry.remove('one');
    registry.clock.now += TOMBSTONE_MS;
    await registry.apply(addressed('pin', [vip]));
    const writer = await moveOn();
    expect((await writer.apply(auto('one', 'a.internal'), {}, deadline())).kind).toBe('created');
    expect(await registry.vipOf('a.internal')).not.toBe(vip);
    await writer.remove('default', 'pin', {}, deadline());
  }

  it('points at the slot that is reclaimed, and not at another one', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await leaveForAnother(registry, async () => registry.writer);
    expect((await registry.apply(auto('heir'))).kind).toBe('created');
    await expectSound(registry);
  });

  it('points at the pool of the slot that is reclaimed, and not at the same slot of another one', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    const other = createPool({ ipv4: '240.240.8.32/29', ipv6: '2001:2:0:8::/64' });
    const source = { client: registry.client, table: TABLE };
    await leaveForAnother(registry, async () => {
      const draining = await activatePool(source, other, deadline());
      return registry.anotherWriter(undefined, other, { draining });
    });
    const draining = await activatePool(source, TINY_POOL, deadline());
    const writer = registry.anotherWriter(undefined, TINY_POOL, { draining });
    expect((await writer.apply(auto('spare'), {}, deadline())).kind).toBe('created');
    expect((await writer.apply(auto('heir'), {}, deadline())).kind).toBe('created');
    await expectSound(registry, [TINY_POOL, other]);
  });
});

describe('the item of a block', () => {
  it('does not have the slot in use that is taken', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await fill(registry, 1);
    await meet(registry, auto('late'), () => registry.apply(auto('early')));
    await expectSound(registry);
  });

  it('has the tombstone that was read of the slot that is reclaimed', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await fill(registry, 1);
    await registry.apply(auto('one', 'a.internal'));
    await registry.remove('one');
    registry.clock.now += TOMBSTONE_MS;
    await meet(registry, auto('second'), () => registry.apply(auto('first')));
    await expectSound(registry);
  });

  it('has no pin on the slot that is taken', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    const free = await openTestRegistry(TINY_POOL);
    await free.apply(auto('auto'));
    const vip = (await free.vipOf('auto.internal')) ?? '';
    await meet(registry, auto('auto'), () => registry.apply(addressed('pin', [vip])));
    await expectSound(registry);
  });

  it('has no pin on the slot that is given back to its last holder', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(auto('auto'));
    const vip = (await registry.vipOf('auto.internal')) ?? '';
    await registry.remove('auto');
    registry.clock.now += TOMBSTONE_MS;
    await meet(registry, auto('auto'), () => registry.apply(addressed('pin', [vip])));
    await expectSound(registry);
  });

  it('is not pinned as a whole when a slot is taken', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await meet(registry, auto('auto'), () => registry.apply(addressed('pin', [TINY_POOL.ipv4])));
    await expectSound(registry);
  });

  it.each([
    ['was new', []],
    ['had slots in use', ['before']],
  ])('is unchanged when a slot of it is pinned, if it %s', async (_what, names) => {
    const registry = await openTestRegistry(TINY_POOL);
    for (const name of names) await registry.apply(auto(name));
    const taken = await Promise.all(names.map((name) => registry.vipOf(`${name}.internal`)));
    const all = [33, 34, 35, 36, 37, 38].map((octet) => `240.240.7.${octet}`);
    const free = addressed(
      'pin',
      all.filter((address) => !taken.includes(address)),
    );
    await meet(registry, free, () => registry.apply(auto('auto')));
    await expectSound(registry);
  });

  it('is unchanged when a slot is taken in spite of a pin that is lifted with it', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(addressed('own', [TINY_POOL.ipv4]));
    await meet(registry, auto('own'), () => registry.apply(addressed('pin', [TINY_POOL.ipv4])));
    await expectSound(registry);
  });
});
