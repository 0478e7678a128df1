import { resolve } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { embeddedClient, openEmbeddedDynamoDb } from '../embedded/embedded-dynamodb.ts';
import { ensureTable } from '../registry/dynamodb-open.ts';
import type { TableClient } from '../registry/dynamodb-snapshot.ts';
import type { Store } from '../settings.ts';

export interface OpenStore {
  /** For queries: gives up early, because a client waits. */
  readonly queries: TableClient;
  /** For administration: tries longer. */
  readonly administration: TableClient;
  close(): Promise<void>;
}

const EMBEDDED_TABLE = 'meshdoh';

/** The registry's store as the settings name it; the embedded ones get their table. */
export async function openStore(store: Store, cwd: string, signal: AbortSignal): Promise<OpenStore> {
  if (store.kind === 'dynamodb') return openDynamoDb(store);
  const db = await openEmbeddedDynamoDb(store.kind === 'folder' ? { folder: resolve(cwd, store.folder) } : {});
  const source = { client: embeddedClient(db), table: EMBEDDED_TABLE };
  await ensureTable(source, signal);
  return { queries: source, administration: source, close: () => db.close() };
}

function openDynamoDb({ table, region, endpoint }: Extract<Store, { kind: 'dynamodb' }>): OpenStore {
  const place = { ...(region === undefined ? {} : { region }), ...(endpoint === undefined ? {} : { endpoint }) };
  const timeouts = (requestTimeout: number) => ({
    connectionTimeout: 300,
    requestTimeout,
    throwOnRequestTimeout: true,
  });
  const queries = new DynamoDBClient({ ...place, maxAttempts: 2, requestHandler: timeouts(400) });
  const administration = new DynamoDBClient({ ...place, maxAttempts: 4, requestHandler: timeouts(3000) });
  return {
    queries: { client: queries, table },
    administration: { client: administration, table },
    close: async () => {
      queries.destroy();
      administration.destroy();
    },
  };
}
