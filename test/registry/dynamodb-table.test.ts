import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { embeddedClient } from '../../src/embedded/embedded-dynamodb.ts';
import { createDynamoDbTable } from '../../src/registry/dynamodb-table.ts';
import { RegistryUnavailableError } from '../../src/registry/errors.ts';
import type { RegistryReader } from '../../src/registry/reader.ts';
import { tableReader } from '../../src/resolve/table-reader.ts';
import type { ServiceEntrySpec } from '../../src/serviceentry/service-entry.ts';
import { buildTable } from '../../src/table/build-table.ts';
import { parseTable, tableJson } from '../../src/table/parse-table.ts';
import type { View } from '../../src/table/view.ts';
import {
  DEFAULT_VIEW,
  deadline,
  openTestRegistry,
  SMALL_POOL,
  serviceEntry,
  TABLE,
  type TestRegistry,
  TOMBSTONE_MS,
} from '../support/registry.ts';

const SETTINGS = { ttl: { vip: 300, owned: 30, negative: 30 }, privateZones: ['internal'] };

let registry: TestRegistry;
beforeEach(async () => {
  registry = await openTestRegistry(SMALL_POOL);
});
afterEach(() => registry.db.close());

const meshSource = () => createDynamoDbTable({ client: registry.client, table: TABLE });

describe('the version of the registry', () => {
  it('costs one read, moves with every commit, and with nothing else', async () => {
    const source = meshSource();
    const versions: string[] = [];
    const note = async () => versions.push(await source.version(deadline()));
    await note();
    const before = new Map(registry.db.calls);
    await note();
    expect([...registry.db.calls].filter(([name, count]) => count !== before.get(name))).toEqual([
      ['Query', (before.get('Query') ?? 0) + 1],
    ]);
    const entry = serviceEntry('a', { hosts: ['a.internal'] });
    await registry.apply(entry);
    await note();
    await registry.apply(entry);
    await note();
    await registry.remove('a');
    await note();
    const [empty, again, applied, unchanged, removed] = versions;
    expect(again).toBe(empty);
    expect(unchanged).toBe(applied);
    expect(new Set([empty, applied, removed]).size).toBe(3);
  });

  it('is not known while the store is out of reach', async () => {
    const client = embeddedClient(registry.db, {
      faults: { before: () => ({ kind: 'throttled' }) },
      maxAttempts: 1,
    });
    const source = createDynamoDbTable({ client, table: TABLE });
    await expect(source.version(deadline())).rejects.toThrow(RegistryUnavailableError);
    await expect(source.read(deadline())).rejects.toThrow(RegistryUnavailableError);
  });
});

const HOSTS = ['a.internal', 'b.internal', 'c.internal', '*.d.internal'];
const SPECS: readonly Partial<ServiceEntrySpec>[] = [
  { resolution: 'DNS' },
  { resolution: 'STATIC', endpoints: [{ address: '10.0.0.1' }] },
  { resolution: 'NONE' },
  { resolution: 'NONE', addresses: ['198.51.100.1'] },
  { resolution: 'STATIC', addresses: ['240.240.7.40'] },
];

const operations = fc.array(
  fc.record({
    name: fc.constantFrom('e0', 'e1', 'e2'),
    namespace: fc.constantFrom('default', 'team-a'),
    remove: fc.boolean(),
    waitMs: fc.constantFrom(0, 1000, TOMBSTONE_MS + 1),
    hosts: fc.uniqueArray(fc.constantFrom(...HOSTS), { minLength: 1, maxLength: 3 }),
    spec: fc.constantFrom(...SPECS),
    optOut: fc.boolean(),
    exportTo: fc.constantFrom(['*'], ['.'], ['default'], ['~']),
  }),
  { minLength: 1, maxLength: 12 },
);

const VIEWS: readonly View[] = [
  { ...DEFAULT_VIEW, families: ['ipv4', 'ipv6'] },
  { ...DEFAULT_VIEW, namespace: 'team-a', vips: false },
];

interface Step {
  readonly name: string;
  readonly namespace: string;
  readonly remove: boolean;
  readonly waitMs: number;
  readonly hosts: readonly string[];
  readonly spec: Partial<ServiceEntrySpec>;
  readonly optOut: boolean;
  readonly exportTo: readonly string[];
}

async function take({ name, namespace, remove, waitMs, hosts, spec, optOut, exportTo }: Step): Promise<void> {
  registry.clock.now += waitMs;
  const labels = { 'networking.istio.io/enable-autoallocate-ip': String(!optOut) };
  const isWildcard = hosts.some((host) => host.startsWith('*'));
  const given = isWildcard ? { resolution: 'NONE' as const, addresses: ['198.51.100.2'] } : spec;
  if (remove) await registry.remove(name, namespace);
  else await registry.apply(serviceEntry(name, { ...given, hosts, exportTo }, { namespace, labels }));
}

/** All that a view sees of the hosts; the TTL aside, which the table tells whether an entry sets it or not. */
async function answersOf(reader: RegistryReader, view: View): Promise<object[]> {
  const found = await reader.find({ hosts: HOSTS }, view, deadline());
  if (found.state !== 'known') throw new Error('unavailable');
  return [...found.hosts.values()].map(({ ttl: _ttl, ...answer }) => answer);
}

describe('the table made of the entries', () => {
  it('answers as the host items do after any operations', async () => {
    const property = fc.asyncProperty(operations, async (steps) => {
      for (const step of steps) await take(step);
      const mesh = await meshSource().read(deadline());
      for (const view of VIEWS) {
        const read = parseTable(tableJson(buildTable(mesh, view, SETTINGS)));
        if (!read.ok) throw new Error(read.reason);
        expect(await answersOf(tableReader(read.table), view)).toEqual(await answersOf(registry.reader, view));
      }
    });
    const fresh = property.afterEach(async () => {
      await registry.db.close();
      registry = await openTestRegistry(SMALL_POOL);
    });
    await fc.assert(fresh, { numRuns: 60 });
  }, 120_000);
});
