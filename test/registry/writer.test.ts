import { describe, expect, it } from 'vitest';
import {
  deadline,
  openTestRegistry,
  SMALL_POOL,
  serviceEntry,
  type TestRegistry,
  TOMBSTONE_MS,
} from '../support/registry.ts';

const auto = (name: string, host = `${name}.internal`) => serviceEntry(name, { hosts: [host] });

describe('apply', () => {
  it('gives a host without an address a VIP, and keeps it', async () => {
    const registry = await openTestRegistry();
    const first = await registry.apply(auto('auto'));
    expect(first.kind).toBe('created');
    const vip = await registry.vipOf('auto.internal');
    expect(vip).toMatch(/^240\.240\./);
    await registry.apply(serviceEntry('auto', { hosts: ['auto.internal', 'more.internal'], ports: [] }));
    expect(await registry.vipOf('auto.internal')).toBe(vip);
    expect(await registry.vipOf('more.internal')).not.toBe(vip);
  });

  it('records what was allocated in the status, IPv4 before IPv6', async () => {
    const registry = await openTestRegistry();
    const outcome = await registry.apply(auto('auto'));
    if (outcome.kind !== 'created') throw new Error(outcome.kind);
    const vip = await registry.vipOf('auto.internal');
    expect(outcome.entry.status?.addresses).toEqual([
      { value: vip, host: 'auto.internal' },
      { value: expect.stringMatching(/^2001:2::/), host: 'auto.internal' },
    ]);
    expect(await registry.entries.get('default', 'auto', deadline())).toEqual(outcome.entry);
  });

  it('takes at most three round trips', async () => {
    const registry = await openTestRegistry();
    const before = new Map(registry.db.calls);
    await registry.apply(auto('auto'));
    const since = [...registry.db.calls].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
    // What has to be findable is so before the commit.
    expect(Object.fromEntries(since.filter(([, count]) => count > 0))).toEqual({
      BatchGetItem: 1,
      UpdateItem: 1,
      TransactWriteItems: 1,
    });
  });

  it('leaves an unchanged entry and its resourceVersion alone', async () => {
    const registry = await openTestRegistry();
    const first = await registry.apply(auto('auto'));
    registry.clock.now += 1000;
    const second = await registry.apply(auto('auto'));
    expect(second.kind).toBe('unchanged');
    if (second.kind === 'rejected' || first.kind === 'rejected') throw new Error('rejected');
    expect(second.entry.metadata.resourceVersion).toBe(first.entry.metadata.resourceVersion);
  });

  it('moves the generation with the spec only', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('auto'));
    const labelled = await registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }, { labels: { a: 'b' } }));
    if (labelled.kind !== 'configured') throw new Error(labelled.kind);
    expect(labelled.entry.metadata.generation).toBe(1);
    const changed = await registry.apply(serviceEntry('auto', { hosts: ['auto.internal'], location: 'MESH_EXTERNAL' }));
    if (changed.kind !== 'configured') throw new Error(changed.kind);
    expect(changed.entry.metadata.generation).toBe(2);
  });

  it('refuses a stale resourceVersion as a conflict and a second creation as existing', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('auto'));
    const stale = { precondition: { kind: 'present', resourceVersion: '1' } } as const;
    expect(await registry.apply(serviceEntry('auto', { hosts: ['b.internal'] }), stale)).toMatchObject({
      reason: 'Conflict',
    });
    expect(await registry.apply(auto('auto'), { precondition: { kind: 'absent' } })).toMatchObject({
      reason: 'AlreadyExists',
    });
    expect(await registry.remove('nobody')).toMatchObject({ reason: 'NotFound' });
  });

  it('takes the repetition of an apply that was committed for what it is, whatever version the manifest names', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('auto'));
    const { resourceVersion = '' } = (await registry.entries.get('default', 'auto', deadline()))?.metadata ?? {};
    const options = { precondition: { kind: 'unmodified', resourceVersion } } as const;
    const wanted = serviceEntry('auto', { hosts: ['b.internal'] });
    expect((await registry.apply(wanted, options)).kind).toBe('configured');
    expect((await registry.apply(wanted, options)).kind).toBe('unchanged');
    const other = serviceEntry('auto', { hosts: ['c.internal'] });
    expect(await registry.apply(other, options)).toMatchObject({ reason: 'Conflict' });
  });

  it('commits nothing on a dry run, and judges it all the same', async () => {
    const registry = await openTestRegistry();
    const outcome = await registry.apply(auto('auto'), { dryRun: true });
    expect(outcome.kind).toBe('created');
    expect(await registry.vipOf('auto.internal')).toBeUndefined();
    expect(await registry.entries.get('default', 'auto', deadline())).toBeUndefined();
  });

  it('answers a dry run with the resourceVersion in force, and with none of what is not there', async () => {
    const registry = await openTestRegistry();
    const absent = await registry.apply(auto('auto'), { dryRun: true });
    if (absent.kind !== 'created') throw new Error(absent.kind);
    expect(absent.entry.metadata).not.toHaveProperty('resourceVersion');
    await registry.apply(auto('auto'));
    const live = await registry.entries.get('default', 'auto', deadline());
    const changed = await registry.apply(serviceEntry('auto', { hosts: ['b.internal'] }), { dryRun: true });
    if (changed.kind !== 'configured') throw new Error(changed.kind);
    expect(changed.entry.metadata).toMatchObject({
      resourceVersion: live?.metadata.resourceVersion,
      uid: live?.metadata.uid,
      generation: 2,
    });
  });
});

describe('one host in several entries', () => {
  it('shares one VIP and merges the ports', async () => {
    const registry = await openTestRegistry();
    await registry.apply(
      serviceEntry('a', { hosts: ['shared.internal'], ports: [{ name: 'http', number: 80, protocol: 'HTTP' }] }),
    );
    const vip = await registry.vipOf('shared.internal');
    await registry.apply(
      serviceEntry('b', { hosts: ['shared.internal'], ports: [{ name: 'tls', number: 443, protocol: 'TLS' }] }),
    );
    expect(await registry.vipOf('shared.internal')).toBe(vip);
    await registry.remove('a');
    expect(await registry.vipOf('shared.internal')).toBe(vip);
  });

  it.each([
    ['another protocol', { ports: [{ name: 'p', number: 80, protocol: 'TCP' }] }, /port 80 is HTTP there and TCP here/],
    [
      'another targetPort',
      { ports: [{ name: 'p', number: 80, protocol: 'HTTP', targetPort: 81 }] },
      /another targetPort/,
    ],
    ['addresses', { addresses: ['192.0.2.1'] }, /this entry has addresses/],
  ])('rejects %s, naming the other entry', async (_what, spec, message) => {
    const registry = await openTestRegistry();
    await registry.apply(auto('first', 'shared.internal'));
    const outcome = await registry.apply(serviceEntry('second', { hosts: ['shared.internal'], ...spec }));
    expect(outcome).toMatchObject({ kind: 'rejected', reason: 'Invalid' });
    if (outcome.kind !== 'rejected') throw new Error(outcome.kind);
    expect(outcome.message).toMatch(message);
    expect(outcome.message).toContain('ServiceEntry default/first');
  });

  it.each<[string, string[] | undefined, string[] | undefined, boolean]>([
    ['both are for all', undefined, undefined, true],
    ['one is for all', ['.'], undefined, true],
    ['both are for a third', ['third'], ['third', '.'], true],
    ['each is for itself', ['.'], ['.'], false],
    ['one is for nobody', ['~'], undefined, false],
  ])('warns of another protocol in another namespace if somebody sees both: %s', async (_, mine, theirs, warned) => {
    const registry = await openTestRegistry();
    const tcp = [{ name: 'p', number: 80, protocol: 'TCP' }];
    const exported = (exportTo: string[] | undefined) => (exportTo ? { exportTo } : {});
    const other = { hosts: ['shared.internal'], ports: tcp, ...exported(theirs) };
    await registry.apply(serviceEntry('theirs', other, { namespace: 'other' }));
    const outcome = await registry.apply(serviceEntry('mine', { hosts: ['shared.internal'], ...exported(mine) }));
    if (outcome.kind !== 'created') throw new Error(outcome.kind);
    const warning =
      'spec.ports: port 80 of host "shared.internal" is HTTP here and TCP in ServiceEntry other/theirs, ' +
      'and a namespace that sees both goes by one of them';
    expect(outcome.warnings).toEqual(warned ? [warning] : undefined);
  });

  it('gives each namespace a VIP of its own', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('a', 'shared.internal'));
    await registry.apply(serviceEntry('a', { hosts: ['shared.internal'] }, { namespace: 'other' }));
    const mine = await registry.vipOf('shared.internal');
    const theirs = await registry.vipOf('shared.internal', { namespace: 'other' });
    expect(theirs).toBeDefined();
    expect(theirs).not.toBe(mine);
  });
});

describe('release', () => {
  it('keeps a released VIP for its last holder, who gets it back at once', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('auto'));
    const vip = await registry.vipOf('auto.internal');
    await registry.remove('auto');
    expect(await registry.vipOf('auto.internal')).toBeUndefined();
    await registry.apply(auto('renamed', 'auto.internal'));
    expect(await registry.vipOf('auto.internal')).toBe(vip);
  });

  it('gives a tombstoned VIP to nobody else before its end, and to somebody afterwards', async () => {
    const registry = await openTestRegistry(SMALL_POOL);
    const hosts = Array.from({ length: 30 }, (_, index) => `h${index}.internal`);
    for (const [index, host] of hosts.entries())
      expect((await registry.apply(auto(`e${index}`, host))).kind).toBe('created');
    const vip = await registry.vipOf('h3.internal');
    await registry.remove('e3');
    const refused = await registry.apply(auto('late'));
    expect(refused).toMatchObject({ kind: 'rejected', reason: 'VipPoolExhausted' });
    if (refused.kind !== 'rejected') throw new Error(refused.kind);
    expect(refused.message).toContain('30 addresses, 29 in use, 1 released');
    expect(await registry.entries.get('default', 'late', deadline())).toBeUndefined();
    registry.clock.now += TOMBSTONE_MS;
    expect((await registry.apply(auto('late'))).kind).toBe('created');
    expect(await registry.vipOf('late.internal')).toBe(vip);
    await registry.remove('e4');
    registry.clock.now += TOMBSTONE_MS;
    expect((await registry.apply(auto('again', 'h3.internal'))).kind).toBe('created');
    expect(await registry.vipOf('h3.internal')).not.toBe(vip);
    expect(await registry.vipOf('late.internal')).toBe(vip);
  });

  it('tombstones the VIP of a host that gets addresses', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('auto'));
    await registry.apply(
      serviceEntry('auto', { hosts: ['auto.internal'], addresses: ['192.0.2.7'], resolution: 'STATIC' }),
    );
    expect(await registry.vipOf('auto.internal')).toBeUndefined();
  });
});

describe('user-written addresses inside the pool', () => {
  it('are kept out of allocation, CIDRs too', async () => {
    const registry = await openTestRegistry(SMALL_POOL);
    await registry.apply(
      serviceEntry('cidr', { hosts: ['c.internal'], resolution: 'STATIC', addresses: ['240.240.7.32/28'] }),
    );
    await registry.apply(
      serviceEntry('pin', {
        hosts: ['p.internal'],
        resolution: 'STATIC',
        addresses: ['240.240.7.60', '2001:2:0:7::1d'],
      }),
    );
    for (let index = 0; index < 13; index++) expect((await registry.apply(auto(`e${index}`))).kind).toBe('created');
    expect(await registry.apply(auto('late'))).toMatchObject({ reason: 'VipPoolExhausted' });
    await registry.remove('pin');
    expect((await registry.apply(auto('late'))).kind).toBe('created');
  });

  it('are refused where a VIP lives, naming its host', async () => {
    const registry = await openTestRegistry();
    await registry.apply(auto('auto'));
    const vip = (await registry.vipOf('auto.internal')) ?? '';
    const outcome = await registry.apply(
      serviceEntry('thief', { hosts: ['t.internal'], resolution: 'STATIC', addresses: [vip] }),
    );
    expect(outcome).toMatchObject({ kind: 'rejected', reason: 'Invalid' });
    if (outcome.kind !== 'rejected') throw new Error(outcome.kind);
    expect(outcome.message).toContain('host "auto.internal" in namespace "default"');
  });
});

describe('many writers at once', () => {
  it('200 applies of different hosts: no duplicate, no error', async () => {
    const registry = await openTestRegistry();
    const writers = Array.from({ length: 8 }, () => registry.anotherWriter());
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, index) => writers[index % 8]?.apply(auto(`e${index}`), {}, deadline())),
    );
    expect(outcomes.every((outcome) => outcome?.kind === 'created')).toBe(true);
    const vips = await Promise.all(Array.from({ length: 200 }, (_, index) => registry.vipOf(`e${index}.internal`)));
    expect(new Set(vips).size).toBe(200);
  });

  it('100 applies of one host by different entries: one VIP, no error', async () => {
    const registry = await openTestRegistry();
    const writers = Array.from({ length: 8 }, () => registry.anotherWriter());
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        writers[index % 8]?.apply(auto(`e${index}`, 'one.internal'), {}, deadline()),
      ),
    );
    expect(outcomes.map((outcome) => outcome?.kind).filter((kind) => kind !== 'created')).toEqual([]);
    const addresses = outcomes.flatMap((outcome) =>
      outcome && outcome.kind !== 'rejected' ? (outcome.entry.status?.addresses ?? []).map(({ value }) => value) : [],
    );
    expect(new Set(addresses).size).toBe(2);
  });

  it('100 applies of the same entry: one creation, the others find it unchanged', async () => {
    const registry = await openTestRegistry();
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => registry.apply(auto('one'))));
    const kinds = outcomes.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'created')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'unchanged')).toHaveLength(99);
  });
});

describe('faults', () => {
  it('a lost acknowledgement is success, not a conflict', async () => {
    const registry = await openTestRegistry();
    let lost = 0;
    const writer = registry.anotherWriter({
      after: ({ operation }) =>
        operation === 'TransactWriteItems' && lost++ < 4 ? { kind: 'lostConnection' } : undefined,
    });
    const created = await writer.apply(auto('auto'), { precondition: { kind: 'absent' } }, deadline());
    expect(created.kind).toBe('created');
    expect(lost).toBeGreaterThan(1);
    const again = registry.anotherWriter({
      after: ({ operation, n }) =>
        operation === 'TransactWriteItems' && n < 9 ? { kind: 'lostConnection' } : undefined,
    });
    expect((await again.remove('default', 'auto', {}, deadline())).kind).toBe('deleted');
  });

  it('transaction conflicts are retried until the deadline', async () => {
    const registry = await openTestRegistry();
    const writer = registry.anotherWriter({
      before: ({ operation, n }) => (operation === 'TransactWriteItems' && n < 12 ? { kind: 'conflict' } : undefined),
    });
    expect((await writer.apply(auto('auto'), {}, deadline())).kind).toBe('created');
    const hopeless = registry.anotherWriter({
      before: ({ operation }) => (operation === 'TransactWriteItems' ? { kind: 'conflict' } : undefined),
    });
    await expect(hopeless.apply(auto('b'), {}, AbortSignal.timeout(300))).rejects.toThrow(
      'did not settle the write of default/b',
    );
  });

  it('a process whose pool is not the active one refuses to write', async () => {
    const registry = await openTestRegistry();
    const stranger = registry.anotherWriter(undefined, SMALL_POOL);
    await expect(stranger.apply(auto('auto'), {}, deadline())).rejects.toThrow('the setting "pools"');
  });
});

describe('an entry of more hosts than one transaction carries', () => {
  const many = (count: number, spec = {}) =>
    serviceEntry('many', {
      hosts: Array.from({ length: count }, (_, index) => `h${index}.many.internal`),
      ports: [],
      ...spec,
    });
  const vipsOf = async (registry: TestRegistry, count: number) =>
    Promise.all(Array.from({ length: count }, (_, index) => registry.vipOf(`h${index}.many.internal`)));

  it('is applied whole, changed, and deleted whole', async () => {
    const registry = await openTestRegistry();
    const created = await registry.apply(many(256));
    expect(created.kind).toBe('created');
    if (created.kind === 'rejected') throw new Error(created.message);
    expect(created.entry.status?.addresses).toHaveLength(512);
    const vips = await vipsOf(registry, 256);
    expect(new Set(vips).size).toBe(256);
    expect(await registry.entries.get('default', 'many', deadline())).toEqual(created.entry);
    expect((await registry.apply(many(100))).kind).toBe('configured');
    expect(await vipsOf(registry, 256)).toEqual(vips.map((vip, index) => (index < 100 ? vip : undefined)));
    expect((await registry.remove('many')).kind).toBe('deleted');
    expect((await vipsOf(registry, 256)).filter((vip) => vip !== undefined)).toEqual([]);
    expect(await registry.entries.get('default', 'many', deadline())).toBeUndefined();
  });

  it('is refused whole when the pool has no room for all of it', async () => {
    const registry = await openTestRegistry(SMALL_POOL);
    expect(await registry.apply(many(31))).toMatchObject({ kind: 'rejected', reason: 'VipPoolExhausted' });
    expect((await vipsOf(registry, 31)).filter((vip) => vip !== undefined)).toEqual([]);
    expect((await registry.apply(many(30))).kind).toBe('created');
  });

  it('is undone when the pool runs out half way', async () => {
    const registry = await openTestRegistry();
    let parts = 0;
    const writer = registry.anotherWriter({
      before: async ({ operation }) => {
        if (operation !== 'TransactWriteItems' || ++parts !== 3) return undefined;
        await registry.apply(
          serviceEntry('h200', { hosts: ['h200.many.internal'], addresses: ['192.0.2.1'], resolution: 'STATIC' }),
        );
        return undefined;
      },
    });
    const outcome = await writer.apply(many(256), {}, deadline());
    expect(outcome).toMatchObject({ kind: 'rejected', reason: 'Invalid' });
    expect((await vipsOf(registry, 256)).filter((vip) => vip !== undefined)).toEqual([]);
    expect(await registry.entries.get('default', 'many', deadline())).toBeUndefined();
    expect((await registry.apply(many(100))).kind).toBe('created');
  });

  it.each([2, 3, 4, 6])(
    'killed before its transaction %i, is taken over by the next write of that entry',
    async (killed) => {
      const registry = await openTestRegistry();
      let transactions = 0;
      const dying = registry.anotherWriter({
        before: ({ operation }) =>
          operation === 'TransactWriteItems' && ++transactions === killed ? { kind: 'kill' } : undefined,
      });
      void dying.apply(many(256), {}, deadline());
      while (transactions < killed) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await registry.entries.get('default', 'many', deadline())).toBeUndefined();
      await expect(registry.writer.apply(many(90), {}, AbortSignal.timeout(100))).rejects.toThrow('did not settle');
      registry.clock.now += 60_000;
      expect((await registry.apply(many(90))).kind).toBe('created');
      const vips = await vipsOf(registry, 256);
      expect(vips.filter((vip) => vip !== undefined)).toHaveLength(90);
      registry.clock.now += TOMBSTONE_MS;
      expect((await registry.apply(many(256))).kind).toBe('configured');
      expect((await vipsOf(registry, 256)).slice(0, 90)).toEqual(vips.slice(0, 90));
    },
  );
});
