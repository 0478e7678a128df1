import { describe, expect, it } from 'vitest';
import type { Faults } from '../../src/embedded/faults.ts';
import { activatePool } from '../../src/registry/dynamodb-open.ts';
import type { WriteOutcome } from '../../src/registry/writer.ts';
import { createPool } from '../../src/vip/pool.ts';
import {
  deadline,
  openTestRegistry,
  serviceEntry,
  TABLE,
  type TestRegistry,
  TOMBSTONE_MS,
} from '../support/registry.ts';
import {
  dieAfterTransaction,
  killBeforeTransaction,
  loseAcknowledgement,
  meet,
  stopBeforeTransaction,
} from './meeting.ts';
import { addressed, auto, fill, many, PENDING_MS, TINY_POOL } from './small-world.ts';
import { expectSound } from './sound-table.ts';

const reasonOf = (outcome: WriteOutcome): string => (outcome.kind === 'rejected' ? outcome.reason : outcome.kind);

const storedOf = (registry: TestRegistry, name: string) => registry.entries.get('default', name, deadline());

describe('two writers', () => {
  it('want the last address: one gets it, the other is refused whole', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await fill(registry, 1);
    const late = await meet(registry, auto('late'), () => registry.apply(auto('early')));
    expect(late).toMatchObject({ kind: 'rejected', reason: 'VipPoolExhausted' });
    expect(await registry.vipOf('early.internal')).toBeDefined();
    const { entries, hosts } = await expectSound(registry);
    expect([...entries.keys()]).not.toContain('default/late');
    expect([...hosts.keys()]).not.toContain('late.internal');
  });

  it('want the same address: the second chooses another from what its failed condition saw', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await fill(registry, 2);
    const late = await meet(registry, auto('late'), () => registry.apply(auto('early')));
    expect(late.kind).toBe('created');
    expect(await registry.vipOf('late.internal')).not.toBe(await registry.vipOf('early.internal'));
    await expectSound(registry);
  });

  it('claim a host of one namespace with two entries: they share one VIP', async () => {
    const registry = await openTestRegistry();
    const second = await meet(registry, auto('second', 'shared.internal'), () =>
      registry.apply(auto('first', 'shared.internal')),
    );
    expect(second.kind).toBe('created');
    const { hosts } = await expectSound(registry);
    expect(hosts.get('shared.internal')?.claims.size).toBe(2);
  });

  it('claim a host with ports that clash: the second is refused, naming the first', async () => {
    const registry = await openTestRegistry();
    const tcp = { hosts: ['shared.internal'], ports: [{ name: 'p', number: 80, protocol: 'TCP' }] };
    const second = await meet(registry, serviceEntry('second', tcp), () =>
      registry.apply(auto('first', 'shared.internal')),
    );
    expect(second).toMatchObject({ kind: 'rejected', reason: 'Invalid' });
    await expectSound(registry);
  });

  it('take the last two claims off a host at once: the VIP is released once', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('first', 'shared.internal'));
    await registry.apply(auto('second', 'shared.internal'));
    const none = serviceEntry('first', { hosts: ['shared.internal'], resolution: 'NONE' });
    const outcome = await meet(registry, none, () => registry.remove('second'));
    expect(outcome.kind).toBe('configured');
    expect(await registry.vipOf('shared.internal')).toBeUndefined();
    await expectSound(registry);
  });

  it('one takes its claim off a host while another joins: the VIP stays', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('first', 'shared.internal'));
    const vip = await registry.vipOf('shared.internal');
    const none = serviceEntry('first', { hosts: ['shared.internal'], resolution: 'NONE' });
    await meet(registry, none, () => registry.apply(auto('second', 'shared.internal')));
    expect(await registry.vipOf('shared.internal')).toBe(vip);
    await expectSound(registry);
  });

  it('change one entry: the later change has seen the earlier one', async () => {
    const registry = await openTestRegistry();
    await registry.apply(serviceEntry('one', { hosts: ['a.internal', 'b.internal'] }));
    const late = serviceEntry('one', { hosts: ['c.internal'] });
    const outcome = await meet(registry, late, () =>
      registry.apply(serviceEntry('one', { hosts: ['b.internal', 'd.internal'] })),
    );
    expect(outcome.kind).toBe('configured');
    const { hosts } = await expectSound(registry);
    expect([...hosts].filter(([, { claims }]) => claims.size > 0).map(([host]) => host)).toEqual(['c.internal']);
    expect((await storedOf(registry, 'one'))?.metadata.generation).toBe(3);
  });
});

describe('what was read of several items was never true at one instant', () => {
  it('an entry is newer than its host: what the entry says of the host is changed, not what the host said', async () => {
    const registry = await openTestRegistry();
    await registry.apply(serviceEntry('one', { hosts: ['a.internal'] }));
    const more = serviceEntry('one', { hosts: ['a.internal', 'b.internal'] });
    const outcome = await meet(registry, more, () =>
      registry.apply(serviceEntry('one', { hosts: ['a.internal'], ports: [] })),
    );
    expect(outcome.kind).toBe('configured');
    await expectSound(registry);
  });

  it('an entry is newer than the block of its addresses: what the entry says is lifted', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(addressed('pin', ['240.240.7.33']));
    const labelled = {
      ...addressed('pin', ['240.240.7.33']),
      metadata: { ...auto('pin').metadata, labels: { a: 'b' } },
    };
    const outcome = await meet(registry, labelled, () => registry.apply(addressed('pin', ['240.240.7.35'])));
    expect(outcome.kind).toBe('configured');
    await expectSound(registry);
  });

  it('a host was released after its block was read: it gets its own VIP back, not another', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(auto('one', 'a.internal'));
    const vip = await registry.vipOf('a.internal');
    const again = await meet(registry, auto('two', 'a.internal'), () => registry.remove('one'));
    expect(again.kind).toBe('created');
    expect(await registry.vipOf('a.internal')).toBe(vip);
    await expectSound(registry);
  });
});

describe('addresses that users write', () => {
  it.each([
    ['an address', '240.240.7.33'],
    ['a part of the block', '240.240.7.32/30'],
    ['the whole block', '240.240.7.32/29'],
  ])('%s is set aside while a host is about to get one of them: it gets none of them', async (_what, pinned) => {
    const registry = await openTestRegistry(TINY_POOL);
    const wholly = pinned.endsWith('/29');
    const single = !pinned.includes('/');
    const hosts = ['a', 'b', 'c', 'd', 'e', 'f'].slice(0, wholly ? 1 : single ? 5 : 3);
    const late = serviceEntry('late', { hosts: hosts.map((host) => `${host}.internal`) });
    const outcome = await meet(registry, late, () => registry.apply(addressed('pin', [pinned])));
    expect(reasonOf(outcome)).toBe(wholly ? 'VipPoolExhausted' : 'created');
    await expectSound(registry);
  });

  it.each([
    ['an address', (vip: string) => vip],
    ['a part of the block', (vip: string) => `${vip}/30`],
    ['the whole block', () => '240.240.7.32/29'],
  ])(
    'a host gets an address while %s around it is about to be set aside: the entry is refused',
    async (_what, around) => {
      const registry = await openTestRegistry(TINY_POOL);
      await registry.apply(auto('auto'));
      const vip = (await registry.vipOf('auto.internal')) ?? '';
      await registry.remove('auto');
      registry.clock.now += TOMBSTONE_MS;
      const outcome = await meet(registry, addressed('pin', [around(vip)]), () => registry.apply(auto('auto')));
      expect(outcome).toMatchObject({ kind: 'rejected', reason: 'Invalid' });
      if (outcome.kind === 'rejected') expect(outcome.message).toContain('host "auto.internal"');
      expect(await registry.vipOf('auto.internal')).toBe(vip);
      await expectSound(registry);
    },
  );

  it('an entry may write the VIP that its host has had, keep it when it is changed, and go back', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(auto('own'));
    const vip = (await registry.vipOf('own.internal')) ?? '';
    for (const addresses of [[vip], [`${vip}/30`], ['240.240.7.32/29'], ['192.0.2.1'], [vip]]) {
      expect(reasonOf(await registry.apply(addressed('own', addresses)))).toBe('configured');
      await expectSound(registry);
    }
    expect((await registry.apply(auto('own'))).kind).toBe('configured');
    expect(await registry.vipOf('own.internal')).toBe(vip);
    await expectSound(registry);
  });

  it("may not be a VIP that another host of the entry's own has just given up with its claim", async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(auto('one', 'a.internal'));
    const vip = (await registry.vipOf('a.internal')) ?? '';
    const outcome = await registry.apply(addressed('one', [vip], 'b.internal'));
    expect(outcome).toMatchObject({ kind: 'rejected', reason: 'Invalid' });
    expect(await registry.vipOf('a.internal')).toBe(vip);
    await expectSound(registry);
  });
});

describe('the end of a tombstone', () => {
  /** `a.internal` has left its address to whoever comes after the end of its tombstone; the rest of the pool is taken. */
  async function released(): Promise<{ registry: TestRegistry; vip: string | undefined }> {
    const registry = await openTestRegistry(TINY_POOL);
    await fill(registry, 1);
    await registry.apply(auto('one', 'a.internal'));
    const vip = await registry.vipOf('a.internal');
    await registry.remove('one');
    registry.clock.now += TOMBSTONE_MS;
    return { registry, vip };
  }

  it('the last holder comes back while its address is being reclaimed: the stranger goes without', async () => {
    const { registry, vip } = await released();
    const outcome = await meet(registry, auto('stranger'), () => registry.apply(auto('again', 'a.internal')));
    expect(outcome).toMatchObject({ reason: 'VipPoolExhausted' });
    expect(await registry.vipOf('a.internal')).toBe(vip);
    await expectSound(registry);
  });

  it('a stranger reclaims the address while the last holder is coming back: the holder gets another, or none', async () => {
    const { registry, vip } = await released();
    const outcome = await meet(registry, auto('again', 'a.internal'), () => registry.apply(auto('stranger')));
    expect(outcome).toMatchObject({ reason: 'VipPoolExhausted' });
    expect(await registry.vipOf('stranger.internal')).toBe(vip);
    await expectSound(registry);
  });

  it('two strangers reclaim one address: one of them gets it', async () => {
    const { registry, vip } = await released();
    const outcome = await meet(registry, auto('second'), () => registry.apply(auto('first')));
    expect(outcome).toMatchObject({ reason: 'VipPoolExhausted' });
    expect(await registry.vipOf('first.internal')).toBe(vip);
    await expectSound(registry);
  });

  it('is reached between plan and commit: the holder that was coming back still gets its address', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(auto('one', 'a.internal'));
    const vip = await registry.vipOf('a.internal');
    await registry.remove('one');
    registry.clock.now += TOMBSTONE_MS - 1;
    const outcome = await meet(registry, auto('again', 'a.internal'), async () => {
      registry.clock.now += 2;
    });
    expect(outcome.kind).toBe('created');
    expect(await registry.vipOf('a.internal')).toBe(vip);
    await expectSound(registry);
  });
});

describe('a write of several transactions', () => {
  const vipCount = async (registry: TestRegistry) =>
    [...(await expectSound(registry)).hosts.values()].filter(({ namespaces }) => {
      const vip = namespaces.get('default')?.vip;
      return vip !== undefined && vip.until === undefined;
    }).length;

  it('is not disturbed by a delete, which waits and then finds it', async () => {
    const registry = await openTestRegistry();
    let deleting: Promise<WriteOutcome> | undefined;
    const outcome = await meet(
      registry,
      many(70),
      async () => {
        deleting = registry.remove('many');
        await expect(registry.writer.remove('default', 'many', {}, AbortSignal.timeout(50))).rejects.toThrow(
          'did not settle',
        );
      },
      2,
    );
    expect(outcome.kind).toBe('created');
    expect((await deleting)?.kind).toBe('deleted');
    expect(await vipCount(registry)).toBe(0);
  });

  it.each([2, 3, 4])('killed before transaction %i, is undone by a delete that finds no entry', async (nth) => {
    const registry = await openTestRegistry();
    const { died, faults } = killBeforeTransaction(nth);
    void registry
      .anotherWriter(faults)
      .apply(many(70), {}, deadline())
      .catch(() => undefined);
    await died;
    registry.clock.now += PENDING_MS;
    expect(await registry.remove('many')).toMatchObject({ reason: 'NotFound' });
    const { entries } = await expectSound(registry);
    expect(entries.has('default/many')).toBe(false);
    expect(await vipCount(registry)).toBe(0);
  });

  it.each([2, 3, 4])('of a delete, killed before transaction %i, is finished by whoever meets it', async (nth) => {
    const registry = await openTestRegistry();
    await registry.apply(many(70));
    const { died, faults } = killBeforeTransaction(nth);
    void registry
      .anotherWriter(faults)
      .remove('default', 'many', {}, deadline())
      .catch(() => undefined);
    await died;
    registry.clock.now += PENDING_MS;
    const stale = { precondition: { kind: 'present', resourceVersion: '1' } } as const;
    expect(await registry.apply(many(3), stale)).toMatchObject({ reason: 'NotFound' });
    expect((await expectSound(registry)).entries.has('default/many')).toBe(false);
    expect(await vipCount(registry)).toBe(0);
  });

  it.each([2, 3, 4])(
    'killed before transaction %i, is finished or undone by a write that is itself refused',
    async (nth) => {
      const registry = await openTestRegistry();
      await registry.apply(many(3));
      const { died, faults } = killBeforeTransaction(nth);
      void registry
        .anotherWriter(faults)
        .apply(many(70), {}, deadline())
        .catch(() => undefined);
      await died;
      registry.clock.now += PENDING_MS;
      const stale = { precondition: { kind: 'present', resourceVersion: '1' } } as const;
      expect(await registry.apply(many(5), stale)).toMatchObject({ reason: 'Conflict' });
      const { entries } = await expectSound(registry);
      expect(entries.get('default/many')?.pending).toBeUndefined();
      expect(await vipCount(registry)).toBe(70);
    },
  );

  it('is fenced off by whoever takes it over: a writer that slept through its time commits nothing more', async () => {
    const registry = await openTestRegistry();
    const outcome = await meet(
      registry,
      many(70),
      async () => {
        registry.clock.now += PENDING_MS;
        expect((await registry.apply(many(2))).kind).toBe('created');
        await expectSound(registry);
      },
      3,
    );
    expect(outcome.kind).toBe('configured');
    expect(await vipCount(registry)).toBe(70);
  });

  it('commits a last part while it is being taken over: that part is seen and undone too', async () => {
    const registry = await openTestRegistry();
    const { asleep, died, faults } = dieAfterTransaction(3);
    void registry
      .anotherWriter(faults)
      .apply(many(70), {}, deadline())
      .catch(() => undefined);
    await asleep.arrived;
    registry.clock.now += PENDING_MS;
    const outcome = await meet(registry, many(2), async () => {
      asleep.release();
      await died;
    });
    expect(outcome.kind).toBe('created');
    expect(await vipCount(registry)).toBe(2);
  });

  it('leaves the claims of a stranger alone when it is undone', async () => {
    const registry = await openTestRegistry();
    await registry.apply(many(2));
    const vip = await registry.vipOf('h0.many.internal');
    const outcome = await meet(
      registry,
      many(100),
      () => registry.apply(addressed('other', ['192.0.2.1'], 'h99.many.internal')),
      2,
    );
    expect(outcome).toMatchObject({ kind: 'rejected', reason: 'Invalid' });
    expect(await registry.vipOf('h0.many.internal')).toBe(vip);
    expect(await vipCount(registry)).toBe(2);
    expect((await expectSound(registry)).entries.get('default/many')?.pending).toBeUndefined();
  });

  it('announced again and again by writers that die, does not grow', async () => {
    const registry = await openTestRegistry();
    for (let attempt = 0; attempt < 4; attempt++) {
      const { died, faults } = killBeforeTransaction(2);
      void registry
        .anotherWriter(faults)
        .apply(many(70), {}, deadline())
        .catch(() => undefined);
      await died;
      registry.clock.now += PENDING_MS;
    }
    expect((await expectSound(registry)).entries.get('default/many')?.pending?.superseded).toHaveLength(1);
    expect((await registry.apply(many(70))).kind).toBe('created');
    expect(await vipCount(registry)).toBe(70);
  });
});

describe('a lost acknowledgement', () => {
  const absent = { precondition: { kind: 'absent' } } as const;
  /** The SDK's own retries go by the same token, and would hide ours. */
  const unretried = (registry: TestRegistry, faults: Faults) =>
    registry.anotherWriter(faults, registry.pool, { maxAttempts: 1 });

  it('of a create is success, even if somebody has changed the entry since', async () => {
    const registry = await openTestRegistry();
    const settled = Promise.withResolvers<void>();
    const { lost, faults } = loseAcknowledgement('entries/default/auto', settled.promise);
    const outcome = unretried(registry, faults).apply(auto('auto'), absent, deadline());
    await lost;
    const after = serviceEntry('auto', { hosts: ['other.internal'] });
    expect((await registry.apply(after)).kind).toBe('configured');
    settled.resolve();
    expect((await outcome).kind).toBe('created');
    expect((await storedOf(registry, 'auto'))?.spec.hosts).toEqual(['other.internal']);
    await expectSound(registry);
  });

  it('of an update is success, and does not undo what came after it', async () => {
    const registry = await openTestRegistry();
    const created = await registry.apply(auto('auto'));
    if (created.kind !== 'created') throw new Error(created.kind);
    const settled = Promise.withResolvers<void>();
    const { lost, faults } = loseAcknowledgement('entries/default/auto', settled.promise);
    const { resourceVersion = '' } = created.entry.metadata;
    const outcome = unretried(registry, faults).apply(
      serviceEntry('auto', { hosts: ['b.internal'] }),
      { precondition: { kind: 'present', resourceVersion } },
      deadline(),
    );
    await lost;
    await registry.apply(serviceEntry('auto', { hosts: ['c.internal'] }));
    settled.resolve();
    expect((await outcome).kind).toBe('configured');
    expect((await storedOf(registry, 'auto'))?.spec.hosts).toEqual(['c.internal']);
    await expectSound(registry);
  });

  it('of a delete is success, and leaves an entry alone that was created since', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('auto'));
    const settled = Promise.withResolvers<void>();
    const { lost, faults } = loseAcknowledgement('entries/default/auto', settled.promise);
    const outcome = unretried(registry, faults).remove('default', 'auto', {}, deadline());
    await lost;
    expect((await registry.apply(auto('auto'))).kind).toBe('created');
    settled.resolve();
    expect((await outcome).kind).toBe('deleted');
    expect(await storedOf(registry, 'auto')).toBeDefined();
    await expectSound(registry);
  });

  it('of a process that died is told to its successor', async () => {
    const registry = await openTestRegistry();
    const died = Promise.withResolvers<void>();
    const writer = registry.anotherWriter({
      after: ({ operation }) => {
        if (operation !== 'TransactWriteItems') return undefined;
        died.resolve();
        return { kind: 'kill' };
      },
    });
    void writer.apply(auto('auto'), {}, deadline());
    await died.promise;
    expect((await registry.apply(auto('auto'))).kind).toBe('unchanged');
    await expectSound(registry);
  });
});

describe('another pool', () => {
  const NEXT_POOL = createPool({ ipv4: '240.241.0.0/24', ipv6: '2001:2:1::/64' });

  it('under a running process: what it was committing stands, the next write is refused', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    const { stop, faults } = stopBeforeTransaction();
    const writer = registry.anotherWriter(faults);
    const outcome = writer.apply(auto('auto'), {}, deadline());
    await stop.arrived;
    const draining = await activatePool({ client: registry.client, table: TABLE }, NEXT_POOL, deadline());
    stop.release();
    expect((await outcome).kind).toBe('created');
    const vip = await registry.vipOf('auto.internal');
    await expect(writer.apply(auto('late'), {}, deadline())).rejects.toThrow('the setting "pools"');
    const next = registry.anotherWriter(undefined, NEXT_POOL, { draining });
    expect((await next.apply(auto('late'), {}, deadline())).kind).toBe('created');
    expect(await registry.vipOf('auto.internal')).toBe(vip);
    expect(await registry.vipOf('late.internal')).toMatch(/^240\.241\.0\./);
    await expectSound(registry, [TINY_POOL, NEXT_POOL]);
  });

  it('that is the same one grown is noticed too: the addresses it has gained would not be set aside', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    const grown = createPool({ ipv4: '240.240.7.32/27', ipv6: '2001:2:0:7::/64' });
    await activatePool({ client: registry.client, table: TABLE }, grown, deadline());
    await expect(registry.apply(addressed('pin', ['240.240.7.50']))).rejects.toThrow('240.240.7.32/27');
    expect((await registry.anotherWriter(undefined, grown).apply(auto('auto'), {}, deadline())).kind).toBe('created');
  });

  it('gives a VIP of the earlier one back to its holder', async () => {
    const registry = await openTestRegistry(TINY_POOL);
    await registry.apply(auto('auto'));
    const vip = await registry.vipOf('auto.internal');
    await registry.remove('auto');
    const draining = await activatePool({ client: registry.client, table: TABLE }, NEXT_POOL, deadline());
    const next = registry.anotherWriter(undefined, NEXT_POOL, { draining });
    expect((await next.apply(auto('auto'), {}, deadline())).kind).toBe('created');
    expect(await registry.vipOf('auto.internal')).toBe(vip);
    await expectSound(registry, [TINY_POOL, NEXT_POOL]);
  });
});
