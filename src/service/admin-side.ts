import { Hono } from 'hono';
import { createAdminApp } from '../http/admin-app.ts';
import type { Credentials } from '../http/credentials.ts';
import { createOperationsApp } from '../http/operations-app.ts';
import { createDynamoDbEntries } from '../registry/dynamodb-entries.ts';
import { createDynamoDbFsck } from '../registry/dynamodb-fsck.ts';
import { openRegistry } from '../registry/dynamodb-open.ts';
import { createDynamoDbPools } from '../registry/dynamodb-pools.ts';
import type { TableClient } from '../registry/dynamodb-snapshot.ts';
import { createDynamoDbWriter } from '../registry/dynamodb-writer.ts';
import type { PoolReader } from '../registry/operations.ts';
import type { RegistryWriter, WriteOutcome } from '../registry/writer.ts';
import type { Settings } from '../settings.ts';
import { createPool } from '../vip/pool.ts';
import { createOperatorApps, type OperatorOptions } from './operator-apps.ts';

/** Opening ends before a function's initialisation would (10 s), a request before its caller gives up. */
const OPEN_TIMEOUT_MS = 8_000;
const ADMIN_TIMEOUT_MS = 10_000;

export interface AdminOptions extends Pick<OperatorOptions, 'tables' | 'tokenChanged'> {
  readonly credentials: Credentials;
  /** Told of hosts whose answers may have changed, after the commit. */
  readonly committed?: (hosts: readonly string[]) => void;
  /** Told of every write that was judged, except dry runs. */
  readonly wrote?: (outcome: WriteOutcome) => void;
  /** After which a watch ends, in milliseconds; half an hour when absent. */
  readonly watchLimitMs?: number;
  /** Aborts when the server is to close: no watch ends by itself. */
  readonly ending?: AbortSignal;
  /** Told of faults that the client only sees as an internal error. */
  readonly report: (error: unknown) => void;
}

/** Everything that changes the registry, on one table. */
export interface AdminSide {
  readonly app: Hono;
  readonly writer: RegistryWriter;
  readonly pools: PoolReader;
}

function observed(writer: RegistryWriter, wrote: AdminOptions['wrote']): RegistryWriter {
  if (!wrote) return writer;
  const tell = (outcome: WriteOutcome, dryRun: boolean | undefined): WriteOutcome => {
    if (!dryRun) wrote(outcome);
    return outcome;
  };
  return {
    apply: async (entry, options, signal) => tell(await writer.apply(entry, options, signal), options.dryRun),
    remove: async (namespace, name, options, signal) =>
      tell(await writer.remove(namespace, name, options, signal), options.dryRun),
  };
}

/** Opens the registry for writing, then joins writer, entries and API. */
export async function createAdminSide(
  administration: TableClient,
  settings: Settings,
  options: AdminOptions,
): Promise<AdminSide> {
  const pool = createPool(settings.pools);
  const draining = await openRegistry(administration, pool, AbortSignal.timeout(OPEN_TIMEOUT_MS));
  const writing = { pool, draining, tombstoneMs: settings.tombstoneMs };
  const writer = observed(createDynamoDbWriter(administration, writing), options.wrote);
  const entries = createDynamoDbEntries(administration);
  const pools = createDynamoDbPools(administration);
  const fsck = createDynamoDbFsck(administration, writing);
  const ports = { adminTimeoutMs: ADMIN_TIMEOUT_MS, ...options };
  const app = new Hono()
    .route('/', createOperatorApps(administration, settings, ports))
    .route('/', createAdminApp({ entries, writer, ...ports }))
    .route('/', createOperationsApp({ pools, fsck, ...ports }));
  return { writer, pools, app };
}
