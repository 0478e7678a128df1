import { resolve } from 'node:path';
import { embeddedClient, openEmbeddedDynamoDb } from '../embedded/embedded-dynamodb.ts';
import { openAdminTable, openQueryTable, type TableLocation } from '../registry/dynamodb-client.ts';
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
  if (store.kind === 'dynamodb') {
    const { kind: _, ...location } = store;
    return openDynamoDb(location);
  }
  const db = await openEmbeddedDynamoDb(store.kind === 'folder' ? { folder: resolve(cwd, store.folder) } : {});
  const source = { client: embeddedClient(db), table: EMBEDDED_TABLE };
  await ensureTable(source, signal);
  return { queries: source, administration: source, close: () => db.close() };
}

function openDynamoDb(location: TableLocation): OpenStore {
  const [queries, administration] = [openQueryTable(location), openAdminTable(location)];
  return {
    queries,
    administration,
    close: async () => {
      queries.client.destroy();
      administration.client.destroy();
    },
  };
}
