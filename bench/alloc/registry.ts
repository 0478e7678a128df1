import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type EmbeddedDynamoDb, embeddedClient, openEmbeddedDynamoDb } from '../../src/embedded/embedded-dynamodb.ts';
import type { Faults } from '../../src/embedded/faults.ts';
import { ensureTable, openRegistry as openForWriting } from '../../src/registry/dynamodb-open.ts';
import { createDynamoDbWriter } from '../../src/registry/dynamodb-writer.ts';
import type { RegistryWriter, WriteOutcome } from '../../src/registry/writer.ts';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import { defaults } from '../../src/settings.ts';
import { createPool, type Pool, slotOfAddress } from '../../src/vip/pool.ts';

const TABLE = 'meshdoh';
/** Long, because here the embedded DynamoDB and all of its clients share one thread. */
const DEADLINE_MS = 120_000;

export const deadline = (): AbortSignal => AbortSignal.timeout(DEADLINE_MS);

/** A registry with the default pool on an embedded DynamoDB. */
export interface Registry {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly pool: Pool;
  /** A writer as another process would have one, with the client it writes through. */
  another(faults?: Faults): { readonly client: DynamoDBClient; readonly writer: RegistryWriter };
  close(): Promise<void>;
}

export async function openRegistry(folder?: string): Promise<Registry> {
  const db: EmbeddedDynamoDb = await openEmbeddedDynamoDb(folder === undefined ? {} : { folder });
  const client = embeddedClient(db);
  const pool = createPool(defaults.pools);
  await ensureTable({ client, table: TABLE }, deadline());
  await openForWriting({ client, table: TABLE }, pool, deadline());
  return {
    client,
    table: TABLE,
    pool,
    another(faults) {
      const own = embeddedClient(db, faults ? { faults } : {});
      const { tombstoneMs } = defaults;
      return {
        client: own,
        writer: createDynamoDbWriter({ client: own, table: TABLE }, { pool, draining: [], tombstoneMs }),
      };
    },
    close: () => db.close(),
  };
}

/** An entry of the commonest kind: these hosts, each with a virtual IP. */
export const autoEntry = (namespace: string, name: string, hosts: readonly string[]): ServiceEntry => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { namespace, name },
  spec: { hosts, ports: [{ name: 'https', number: 443, protocol: 'TLS' }], resolution: 'DNS' },
});

/** Entry number `n`, with one host. */
export const numberedEntry = (n: number): ServiceEntry =>
  autoEntry('bench', `service-${n}`, [`service-${n}.bench.example.com`]);

/** The slots of the VIPs that a write allocated. @throws unless it went well. */
export function slotsOf(outcome: WriteOutcome, pool: Pool): number[] {
  if (outcome.kind === 'rejected') throw new Error(`refused: ${outcome.message}`);
  const addresses = outcome.entry.status?.addresses ?? [];
  return [...new Set(addresses.flatMap(({ value }) => slotOfAddress(pool, value) ?? []))];
}
