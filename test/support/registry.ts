import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type EmbeddedDynamoDb, embeddedClient, openEmbeddedDynamoDb } from '../../src/embedded/embedded-dynamodb.ts';
import type { Faults } from '../../src/embedded/faults.ts';
import { createDynamoDbEntries } from '../../src/registry/dynamodb-entries.ts';
import { ensureTable, openRegistry } from '../../src/registry/dynamodb-open.ts';
import { type CachingReader, createDynamoDbReader } from '../../src/registry/dynamodb-reader.ts';
import { createDynamoDbWriter, type WriterOptions } from '../../src/registry/dynamodb-writer.ts';
import type { EntryReader, RegistryWriter, WriteOptions, WriteOutcome } from '../../src/registry/writer.ts';
import type { ServiceEntry, ServiceEntrySpec } from '../../src/serviceentry/service-entry.ts';
import type { View } from '../../src/table/view.ts';
import { createPool, type Pool } from '../../src/vip/pool.ts';

export const TABLE = 'meshdoh';
export const TOMBSTONE_MS = 24 * 3_600_000;
const DEADLINE_MS = 15_000;

export const DEFAULT_POOL = createPool({ ipv4: '240.240.0.0/16', ipv6: '2001:2::/48' });
/** 30 usable slots. */
export const SMALL_POOL = createPool({ ipv4: '240.240.7.32/27', ipv6: '2001:2:0:7::/64' });

export const DEFAULT_VIEW: View = {
  namespace: 'default',
  searchDomains: [],
  clusterDomain: 'cluster.local',
  families: ['ipv4'],
  vips: true,
  forwardUnknown: true,
};

/** How a process differs from the others. */
export interface ProcessOptions extends Partial<Pick<WriterOptions, 'draining' | 'random' | 'sleep'>> {
  /** Of the SDK; its pauses between them cannot be controlled. */
  readonly maxAttempts?: number;
}

/** A registry on an embedded DynamoDB in memory, with a clock that tests move. */
export interface TestRegistry {
  readonly db: EmbeddedDynamoDb;
  readonly client: DynamoDBClient;
  readonly pool: Pool;
  readonly clock: { now: number };
  readonly writer: RegistryWriter;
  readonly entries: EntryReader;
  readonly reader: CachingReader;
  /** Another process on the same table, whose calls meet faults. */
  anotherWriter(faults?: Faults, pool?: Pool, process?: ProcessOptions): RegistryWriter;
  anotherReader(faults: Faults): CachingReader;
  apply(entry: ServiceEntry, options?: WriteOptions): Promise<WriteOutcome>;
  remove(name: string, namespace?: string): Promise<WriteOutcome>;
  /** The VIP (IPv4) that the host answers with, for the default view unless another is given. */
  vipOf(host: string, view?: Partial<View>): Promise<string | undefined>;
}

export const deadline = (): AbortSignal => AbortSignal.timeout(DEADLINE_MS);

export async function openTestRegistry(pool: Pool = DEFAULT_POOL): Promise<TestRegistry> {
  const db = await openEmbeddedDynamoDb();
  const client = embeddedClient(db);
  const source = { client, table: TABLE };
  await ensureTable(source, deadline());
  await openRegistry(source, pool, deadline());
  const clock = { now: Date.parse('2026-11-01T00:00:00Z') };
  const now = () => clock.now;
  const readerOptions = { registryCacheMs: 0, staleMaxMs: 3_600_000, now };
  const writerFor = (faults: Faults | undefined, ofPool: Pool, { maxAttempts = 3, ...options }: ProcessOptions = {}) =>
    createDynamoDbWriter(
      { client: faults ? embeddedClient(db, { faults, maxAttempts }) : client, table: TABLE },
      { pool: ofPool, draining: [], tombstoneMs: TOMBSTONE_MS, now, ...options },
    );
  const writer = writerFor(undefined, pool);
  const reader = createDynamoDbReader(source, readerOptions);
  return {
    db,
    client,
    pool,
    clock,
    writer,
    reader,
    entries: createDynamoDbEntries(source),
    anotherWriter: (faults, ofPool = pool, process = {}) => writerFor(faults, ofPool, process),
    anotherReader: (faults) =>
      createDynamoDbReader({ client: embeddedClient(db, { faults, maxAttempts: 1 }), table: TABLE }, readerOptions),
    apply: (entry, options = {}) => writer.apply(entry, options, deadline()),
    remove: (name, namespace = 'default') => writer.remove(namespace, name, {}, deadline()),
    async vipOf(host, view = {}) {
      const found = await reader.find({ hosts: [host] }, { ...DEFAULT_VIEW, ...view }, deadline());
      const answer = found.state === 'known' ? found.hosts.get(host) : undefined;
      return answer?.vip ? answer.addresses[0] : undefined;
    },
  };
}

export type SpecOverrides = Partial<ServiceEntrySpec> & { readonly hosts: readonly string[] };

/** A valid entry of resolution DNS with one HTTP port, unless the overrides say otherwise. */
export function serviceEntry(
  name: string,
  spec: SpecOverrides,
  metadata: Partial<ServiceEntry['metadata']> = {},
): ServiceEntry {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { ports: [{ name: 'http', number: 80, protocol: 'HTTP' }], resolution: 'DNS', ...spec },
  };
}
