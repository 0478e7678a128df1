import { type AttributeValue, DeleteItemCommand, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { embeddedClient } from '../../src/embedded/embedded-dynamodb.ts';
import { createDynamoDbFsck, type FsckOptions } from '../../src/registry/dynamodb-fsck.ts';
import { createDynamoDbPrincipals } from '../../src/registry/dynamodb-principals.ts';
import { createDynamoDbTokens } from '../../src/registry/dynamodb-tokens.ts';
import { isLeft, type ReportedFinding } from '../../src/registry/fsck-report.ts';
import {
  belowItem,
  blockItem,
  entryItem,
  hostItem,
  type ItemKey,
  poolItem,
  SUFFIXES,
  vipItem,
} from '../../src/registry/keys.ts';
import { blockOfSlot, slotOfAddress } from '../../src/vip/pool.ts';
import {
  DEFAULT_VIEW,
  deadline,
  openTestRegistry,
  serviceEntry,
  TABLE,
  type TestRegistry,
  TOMBSTONE_MS,
} from '../support/registry.ts';

const HOUR_MS = 3_600_000;
const marshal = ({ pk, sk }: ItemKey) => ({ pk: { S: pk }, sk: { S: sk } });
const auto = (name: string, host = `${name}.corp.internal`) => serviceEntry(name, { hosts: [host] });
const addressed = (name: string, ...addresses: string[]) =>
  serviceEntry(name, { hosts: [`${name}.corp.internal`], resolution: 'STATIC', addresses });

function fsckOf(registry: TestRegistry, options: Partial<FsckOptions> = {}, client = registry.client) {
  const { pool, clock } = registry;
  return createDynamoDbFsck(
    { client, table: TABLE },
    { pool, draining: [], tombstoneMs: TOMBSTONE_MS, now: () => clock.now, ...options },
  );
}

/** A whole run, part by part. */
async function run(registry: TestRegistry, repair = false, fsck = fsckOf(registry)): Promise<ReportedFinding[]> {
  const findings: ReportedFinding[] = [];
  let token: string | undefined;
  do {
    const part = await fsck.run({ repair, ...(token === undefined ? {} : { continue: token }) }, deadline());
    findings.push(...part.findings);
    token = part.continue;
  } while (token !== undefined);
  return findings;
}

const codes = (findings: readonly ReportedFinding[]): string[] => [...new Set(findings.map(({ code }) => code))].sort();

async function read(registry: TestRegistry, key: ItemKey) {
  const command = new GetItemCommand({ TableName: TABLE, Key: marshal(key), ConsistentRead: true });
  return (await registry.client.send(command)).Item;
}

const destroy = (registry: TestRegistry, key: ItemKey) =>
  registry.client.send(new DeleteItemCommand({ TableName: TABLE, Key: marshal(key) }));

/** Sets attributes, or takes them away, as a person with the console would. */
async function edit(registry: TestRegistry, key: ItemKey, changes: Record<string, AttributeValue | undefined>) {
  const item = { ...((await read(registry, key)) ?? marshal(key)) } as Record<string, AttributeValue>;
  for (const [attribute, value] of Object.entries(changes)) {
    if (value) item[attribute] = value;
    else delete item[attribute];
  }
  await registry.client.send(new PutItemCommand({ TableName: TABLE, Item: item }));
}

async function slotOf(registry: TestRegistry, host: string): Promise<number> {
  const slot = slotOfAddress(registry.pool, (await registry.vipOf(host)) ?? '');
  if (slot === undefined) throw new Error(`${host} has no VIP`);
  return slot;
}

const vipAt = (registry: TestRegistry, slot: number) => vipItem(registry.pool.id, slot);
const blockAt = (registry: TestRegistry, slot: number) => blockItem(registry.pool.id, blockOfSlot(slot));

const HOST = 'a.corp.internal';
const ENTRY = entryItem('default', 'a');

interface Breakage {
  readonly what: string;
  readonly breaks: (registry: TestRegistry, slot: number) => Promise<unknown>;
  readonly finds: readonly string[];
  /** What mending brings to light. */
  readonly uncovers?: readonly string[];
  /** Mended by a second run. */
  readonly again?: true;
  /** The VIP that HOST had is not promised. */
  readonly moves?: true;
}

const BREAKAGES: readonly Breakage[] = [
  {
    what: 'a host item that is gone',
    breaks: (registry) => destroy(registry, hostItem(HOST)),
    finds: ['ClaimMissing', 'HolderUnaware'],
  },
  {
    what: 'a host without its claim',
    breaks: (registry) => edit(registry, hostItem(HOST), { 'c:default/a': undefined }),
    finds: ['ClaimMissing', 'VipUnwanted'],
  },
  {
    what: 'a claim that says something else',
    breaks: async (registry) => {
      const claim = JSON.parse((await read(registry, hostItem(HOST)))?.['c:default/a']?.S ?? '');
      await edit(registry, hostItem(HOST), { 'c:default/a': { S: JSON.stringify({ ...claim, ttl: 7 }) } });
    },
    finds: ['ClaimDiffers'],
  },
  {
    what: 'an entry that is gone',
    breaks: (registry) => destroy(registry, ENTRY),
    finds: ['ClaimWithoutEntry'],
    uncovers: ['VipUnwanted'],
    moves: true,
  },
  {
    what: 'a claim of an entry that never was',
    breaks: async (registry) => {
      const claim = (await read(registry, hostItem(HOST)))?.['c:default/a'];
      await edit(registry, hostItem(HOST), { 'c:default/ghost': claim });
    },
    finds: ['ClaimWithoutEntry'],
  },
  {
    what: 'a host without its VIP',
    breaks: (registry) => edit(registry, hostItem(HOST), { 'v:default': undefined }),
    finds: ['HolderUnaware', 'SignatureDiffers', 'VipMissing'],
  },
  {
    what: 'a VIP item that is gone',
    breaks: (registry, slot) => destroy(registry, vipAt(registry, slot)),
    finds: ['PointerDiffers', 'SlotWithoutVip'],
  },
  {
    what: 'a VIP item that names another host',
    breaks: (registry, slot) => edit(registry, vipAt(registry, slot), { host: { S: 'b.corp.internal' } }),
    finds: ['HolderUnaware', 'PointerDiffers'],
  },
  {
    what: 'a VIP item with another address',
    breaks: (registry, slot) => edit(registry, vipAt(registry, slot), { ipv4: { S: '240.240.9.9' } }),
    finds: ['AddressesDiffer'],
  },
  {
    what: 'a VIP item that says released',
    breaks: (registry, slot) => edit(registry, vipAt(registry, slot), { until: { N: '1800000000000' } }),
    finds: ['TombstoneDiffers'],
  },
  {
    what: 'a block that is gone',
    breaks: (registry, slot) => destroy(registry, blockAt(registry, slot)),
    finds: ['TombstoneDiffers'],
  },
  {
    what: 'a block that says released',
    breaks: (registry, slot) => {
      const map = { until: { N: '1800000000000' }, namespace: { S: 'default' }, host: { S: HOST } };
      return edit(registry, blockAt(registry, slot), { [`t${slot}`]: { M: map } });
    },
    finds: ['TombstoneDiffers'],
  },
  {
    what: 'a taken slot of nobody',
    breaks: async (registry, slot) => {
      const used = (await read(registry, blockAt(registry, slot)))?.used?.NS ?? [];
      const other = String(slot % 256 === 200 ? slot + 1 : slot - (slot % 256) + 200);
      await edit(registry, blockAt(registry, slot), { used: { NS: [...used, other] } });
    },
    finds: ['SlotWithoutVip'],
  },
  {
    what: 'a live VIP of a host that is nowhere',
    breaks: (registry, slot) =>
      edit(registry, vipAt(registry, slot), { namespace: { S: 'nowhere' } }).then(() =>
        edit(registry, hostItem(HOST), { 'v:default': undefined, 'r:default': { N: '9' } }),
      ),
    finds: ['HolderUnaware', 'SignatureDiffers', 'VipMissing'],
    again: true,
    moves: true,
  },
  {
    what: 'two hosts on one slot',
    breaks: async (registry) => {
      const pointer = (await read(registry, hostItem(HOST)))?.['v:default'];
      await edit(registry, hostItem('b.corp.internal'), { 'v:default': pointer });
    },
    finds: ['HolderUnaware', 'SignatureDiffers', 'StatusDiffers', 'TwoHolders'],
  },
  {
    what: 'a digest of other claims',
    breaks: (registry) => edit(registry, hostItem(HOST), { 'g:default': { S: 'nonsense' } }),
    finds: ['SignatureDiffers'],
  },
  {
    what: 'a status with other addresses',
    breaks: async (registry) => {
      const object = (await read(registry, ENTRY))?.object?.S ?? '';
      const vip = (await registry.vipOf(HOST)) ?? '';
      await edit(registry, ENTRY, { object: { S: object.replace(vip, '240.240.9.9') } });
    },
    finds: ['StatusDiffers'],
  },
  {
    what: 'a suffix set without a member',
    breaks: (registry) => destroy(registry, SUFFIXES),
    finds: ['NotFindable'],
  },
  {
    what: 'a name above that nobody may know',
    breaks: (registry) => destroy(registry, belowItem('corp.internal')),
    finds: ['NotFindable'],
  },
  {
    what: 'a pin that is gone',
    breaks: (registry) => {
      const slot = slotOfAddress(registry.pool, '240.240.77.7') ?? 0;
      return edit(registry, blockAt(registry, slot), { [`p${slot}`]: undefined });
    },
    finds: ['PinMissing'],
  },
  {
    what: 'a pin of an entry that is gone',
    breaks: (registry) =>
      edit(registry, blockItem(registry.pool.id, 99), { p: { SS: ['default/ghost', 'default/a'] } }),
    finds: ['PinWithoutEntry'],
  },
  {
    what: 'a write that nobody finished',
    breaks: async (registry) => {
      const object = (await read(registry, ENTRY))?.object ?? { S: '' };
      const pending = { writeId: { S: 'w' }, until: { N: String(registry.clock.now - 1) }, object };
      await edit(registry, ENTRY, { pending: { M: pending } });
    },
    finds: ['PendingExpired'],
  },
];

async function openWithEntries(): Promise<{ registry: TestRegistry; slot: number; vip: string | undefined }> {
  const registry = await openTestRegistry();
  for (const name of ['a', 'b', 'c']) await registry.apply(auto(name));
  await registry.apply(addressed('pinned', '240.240.77.7'));
  await registry.apply(auto('gone'));
  await registry.remove('gone');
  return { registry, slot: await slotOf(registry, HOST), vip: await registry.vipOf(HOST) };
}

describe('a registry that somebody broke', () => {
  it.each(BREAKAGES)(
    '$what: found, mended, and clean afterwards',
    async ({ breaks, finds, moves, uncovers = [], again }) => {
      const { registry, slot, vip } = await openWithEntries();
      expect(await run(registry)).toEqual([]);
      await breaks(registry, slot);
      const found = await run(registry);
      expect(codes(found)).toEqual(finds);
      const mended = await run(registry, true);
      expect(mended.filter(({ repair }) => repair !== 'done')).toEqual([]);
      expect(codes(mended).filter((code) => !finds.includes(code))).toEqual(uncovers);
      if (again) await run(registry, true);
      expect((await run(registry)).filter(({ severity }) => severity === 'error')).toEqual([]);
      if (!moves) expect(await registry.vipOf(HOST)).toBe(vip);
    },
  );
});

describe('what only a person can mend', () => {
  it.each<[string, (registry: TestRegistry, slot: number) => Promise<unknown>, string]>([
    ['an entry that is no JSON', (registry) => edit(registry, ENTRY, { object: { S: '{' } }), 'Undecodable'],
    [
      'a claim without ports',
      (registry) => edit(registry, hostItem(HOST), { 'c:default/a': { S: '{}' } }),
      'Undecodable',
    ],
    [
      'a VIP item of nobody',
      (registry, slot) => edit(registry, vipAt(registry, slot), { host: undefined }),
      'Undecodable',
    ],
    ['a pool that is not active', (registry) => destroy(registry, poolItem(registry.pool.id)), 'PoolMissing'],
    [
      'a pointer with another address',
      async (registry) => {
        const map = { ...(await read(registry, hostItem(HOST)))?.['v:default']?.M, ipv4: { S: '240.240.9.9' } };
        await edit(registry, hostItem(HOST), { 'v:default': { M: map } as AttributeValue });
      },
      'AddressesDiffer',
    ],
  ])('%s is named, and nothing is written', async (_what, breaks, code) => {
    const { registry, slot } = await openWithEntries();
    await breaks(registry, slot);
    const findings = await run(registry, true);
    expect(codes(findings)).toContain(code);
    expect(findings.find((finding) => finding.code === code)).toMatchObject({ severity: 'error', repair: 'person' });
  });

  it('an entry that writes the live VIP of another host is refused, naming that host', async () => {
    const { registry, vip = '' } = await openWithEntries();
    const object = (await read(registry, entryItem('default', 'pinned')))?.object?.S ?? '';
    await edit(registry, entryItem('default', 'pinned'), { object: { S: object.replaceAll('240.240.77.7', vip) } });
    const refused = (await run(registry, true)).filter(({ repair }) => repair === 'refused');
    expect(codes(refused)).toEqual(['ClaimDiffers', 'PinMissing']);
    expect(refused[0]?.reason).toContain(`host "${HOST}"`);
    expect(await registry.vipOf(HOST)).toBe(vip);
    expect((await registry.apply(addressed('pinned', '240.240.77.8'))).kind).toBe('configured');
    expect((await run(registry)).filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('an undecodable item is named by its key', async () => {
    const { registry } = await openWithEntries();
    await edit(registry, ENTRY, { object: { S: 'nonsense' } });
    const [finding] = await run(registry);
    expect(finding).toMatchObject({ items: ['entries/default/a'] });
  });
});

describe('a healthy registry', () => {
  it('has no findings after hundreds of operations, however the run is divided', async () => {
    const registry = await openTestRegistry();
    for (const operate of randomOperations(7, 300)) await operate(registry);
    const whole = (await run(registry)).filter(({ severity }) => severity === 'error');
    expect(whole).toEqual([]);
    const divided = await run(registry, false, fsckOf(registry, { partMs: 0 }));
    expect(divided.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(divided).toEqual(await run(registry));
  });

  it('may hold credentials too', async () => {
    const { registry } = await openWithEntries();
    const source = { client: registry.client, table: TABLE };
    const common = { label: 'vm', view: {}, createdAt: '2026-11-01T00:00:00Z' };
    await createDynamoDbTokens(source).add(
      'ab'.repeat(32),
      { id: 'ab'.repeat(6), kind: 'client', ...common },
      deadline(),
    );
    const arn = 'arn:aws:iam::123456789012:role/vm';
    await createDynamoDbPrincipals(source).put({ arn, ...common }, deadline());
    expect(await run(registry)).toEqual([]);
  });

  it('is left alone by --repair', async () => {
    const { registry } = await openWithEntries();
    const before = await read(registry, hostItem(HOST));
    expect(await run(registry, true)).toEqual([]);
    expect(await read(registry, hostItem(HOST))).toEqual(before);
  });

  it('takes a write of several parts that is under way for what it is', async () => {
    const registry = await openTestRegistry();
    const hosts = Array.from({ length: 200 }, (_, index) => `h${index}.many.internal`);
    let transactions = 0;
    const writer = registry.anotherWriter({
      before: ({ operation }) =>
        operation === 'TransactWriteItems' && ++transactions > 3 ? { kind: 'kill' } : undefined,
    });
    const killed = writer.apply(serviceEntry('many', { hosts }), {}, AbortSignal.timeout(300));
    await expect(killed).rejects.toThrow();
    expect((await run(registry, true)).filter(({ severity }) => severity === 'error')).toEqual([]);
    registry.clock.now += 61_000;
    expect(codes(await run(registry))).toEqual(['PendingExpired']);
    expect((await run(registry, true)).filter(isLeft)).toEqual([]);
    expect((await run(registry)).filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(await registry.vipOf('h0.many.internal')).toBeUndefined();
    expect((await registry.apply(serviceEntry('many', { hosts }))).kind).toBe('created');
    expect((await run(registry)).filter(({ severity }) => severity === 'error')).toEqual([]);
  });
});

describe('repair and writers at the same time', () => {
  it('leaves every VIP with one holder while writers go on', async () => {
    const { registry, vip } = await openWithEntries();
    await edit(registry, hostItem(HOST), { 'g:default': { S: 'nonsense' } });
    await destroy(registry, hostItem('b.corp.internal'));
    const writes = Array.from({ length: 60 }, (_, index) =>
      index % 3 === 0 ? registry.apply(auto(`n${index}`)) : registry.apply(auto(`m${index}`, 'b.corp.internal')),
    );
    const [, , outcomes] = await Promise.all([run(registry, true), run(registry, true), Promise.all(writes)]);
    expect(outcomes.filter(({ kind }) => kind === 'rejected')).toEqual([]);
    await run(registry, true);
    expect((await run(registry)).filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(await registry.vipOf(HOST)).toBe(vip);
  });

  it('skips what a writer changes between its look and its write', async () => {
    const { registry } = await openWithEntries();
    await edit(registry, hostItem(HOST), { 'g:default': { S: 'nonsense' } });
    let interfered = 0;
    const client = embeddedClient(registry.db, {
      faults: {
        before: async ({ operation }) => {
          if (operation !== 'TransactWriteItems' || interfered++ > 0) return undefined;
          await registry.apply(serviceEntry('a', { hosts: [HOST], ports: [] }));
          return undefined;
        },
      },
    });
    const findings = await run(registry, true, fsckOf(registry, {}, client));
    expect(findings.map(({ code, repair }) => [code, repair])).toEqual([['SignatureDiffers', 'changedMeanwhile']]);
    expect(await run(registry)).toEqual([]);
  });
});

describe('names without hosts', () => {
  const find = (registry: TestRegistry, host: string) =>
    registry.reader.find({ hosts: [host], below: 'zone.example' }, DEFAULT_VIEW, deadline());
  const membersOf = async (registry: TestRegistry) => (await read(registry, SUFFIXES))?.members?.NS ?? [];
  const retireCodes = ['EmptyHost', 'ScopeUnused', 'SuffixUnused'];

  async function openWithUnused(): Promise<TestRegistry> {
    const registry = await openTestRegistry();
    const entry = serviceEntry('old', { hosts: ['old.zone.example', 'x.elsewhere'], resolution: 'NONE' });
    await registry.apply(entry);
    await registry.apply(auto('a'));
    await registry.remove('old');
    return registry;
  }

  it('are retired by two runs an hour apart, and not sooner', async () => {
    const registry = await openWithUnused();
    expect(codes(await run(registry))).toEqual(retireCodes);
    expect(new Set((await run(registry, true)).map(({ repair }) => repair))).toEqual(new Set(['started']));
    expect(await membersOf(registry)).toHaveLength(1);
    registry.clock.now += HOUR_MS - 1;
    expect(new Set((await run(registry, true)).map(({ repair }) => repair))).toEqual(new Set(['started']));
    expect((await read(registry, SUFFIXES))?.retiring?.NS).toHaveLength(2);
    registry.clock.now += 1;
    expect(new Set((await run(registry, true)).map(({ repair }) => repair))).toEqual(new Set(['done']));
    expect(await run(registry)).toEqual([]);
    expect(await read(registry, belowItem('zone.example'))).toBeUndefined();
    expect(await read(registry, hostItem('old.zone.example'))).toBeUndefined();
    const again = registry.anotherWriter().apply(auto('again', 'old.zone.example'), {}, deadline());
    expect((await again).kind).toBe('created');
    expect(await find(registry, 'old.zone.example')).toMatchObject({ existsBelow: true });
    expect(await run(registry)).toEqual([]);
  });

  it('a writer that saw the names before they were set aside stays findable throughout', async () => {
    const registry = await openWithUnused();
    const entered = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const writer = registry.anotherWriter({
      before: async ({ operation }) => {
        if (operation !== 'TransactWriteItems') return undefined;
        entered.resolve();
        await released.promise;
        return undefined;
      },
    });
    const applying = writer.apply(auto('late', 'late.zone.example'), {}, deadline());
    await entered.promise;
    expect((await run(registry, true)).filter(({ code }) => code === 'SuffixUnused')).toMatchObject([
      { repair: 'started' },
    ]);
    released.resolve();
    await applying;
    const findable = async () => {
      const found = await find(registry, 'late.zone.example');
      return found.state === 'known' && found.hosts.has('late.zone.example') && found.existsBelow;
    };
    expect(await findable()).toBe(true);
    registry.clock.now += HOUR_MS;
    await run(registry, true);
    expect(await findable()).toBe(true);
    expect(await run(registry)).toEqual([]);
    expect((await read(registry, SUFFIXES))?.retiring).toBeUndefined();
  });

  it('a writer between the last look and the removal adds the names again', async () => {
    const registry = await openWithUnused();
    await run(registry, true);
    registry.clock.now += HOUR_MS;
    let applied = false;
    const client = embeddedClient(registry.db, {
      faults: {
        before: async ({ operation }) => {
          if (applied || (operation !== 'UpdateItem' && operation !== 'DeleteItem')) return undefined;
          applied = true;
          await registry.anotherWriter().apply(auto('late', 'late.zone.example'), {}, deadline());
          return undefined;
        },
      },
    });
    await run(registry, true, fsckOf(registry, {}, client));
    expect(applied).toBe(true);
    expect(await find(registry, 'late.zone.example')).toMatchObject({ existsBelow: true });
    const found = await find(registry, 'late.zone.example');
    expect(found.state === 'known' && found.hosts.has('late.zone.example')).toBe(true);
    expect((await run(registry)).filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('a host item that a new namespace claims is not deleted', async () => {
    const registry = await openWithUnused();
    await run(registry, true);
    registry.clock.now += HOUR_MS;
    let applied = false;
    const client = embeddedClient(registry.db, {
      faults: {
        before: async ({ operation }) => {
          if (applied || operation !== 'TransactWriteItems') return undefined;
          applied = true;
          const entry = serviceEntry('n', { hosts: ['old.zone.example', 'x.elsewhere'] }, { namespace: 'new' });
          await registry.anotherWriter().apply(entry, {}, deadline());
          return undefined;
        },
      },
    });
    const findings = await run(registry, true, fsckOf(registry, {}, client));
    expect(findings.filter(({ code }) => code === 'EmptyHost')).toMatchObject([{ repair: 'changedMeanwhile' }]);
    expect(await registry.vipOf('old.zone.example', { namespace: 'new' })).toBeDefined();
    expect((await run(registry)).filter(({ severity }) => severity === 'error')).toEqual([]);
  });
});

describe('a token', () => {
  it.each(['', 'nonsense', Buffer.from('["hosts",0,"","",1,"AAAA"]').toString('base64url')])(
    'that is none (%j) is refused',
    async (token) => {
      const registry = await openTestRegistry();
      await expect(fsckOf(registry).run({ repair: false, continue: token }, deadline())).rejects.toThrow('"continue"');
    },
  );
});

function randomOperations(seed: number, count: number): ((registry: TestRegistry) => Promise<unknown>)[] {
  const random = mulberry32(seed);
  const pick = (below: number) => Math.floor(random() * below);
  return Array.from({ length: count }, () => async (registry) => {
    const name = `e${pick(25)}`;
    registry.clock.now += pick(3) === 0 ? TOMBSTONE_MS / 3 : 1000;
    if (pick(4) === 0) return registry.remove(name);
    if (pick(5) === 0) return registry.apply(addressed(name, `240.240.${pick(8)}.${1 + pick(200)}`));
    const hosts = Array.from({ length: 1 + pick(3) }, () => `h${pick(30)}.zone${pick(4)}.internal`);
    return registry.apply(serviceEntry(name, { hosts, ports: [], exportTo: pick(3) === 0 ? ['.'] : ['*'] }));
  });
}

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
