import { resolve } from 'node:path';
import { embeddedClient, openEmbeddedDynamoDb } from '../embedded/embedded-dynamodb.ts';
import { openAdminTable, openQueryTable, type TableLocation } from '../registry/dynamodb-client.ts';
import { ensureTable } from '../registry/dynamodb-open.ts';
import type { TableClient } from '../registry/dynamodb-snapshot.ts';
import type { Store } from '../settings.ts';
import { CommandFailure } from './failure.ts';

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

/** What the SDK's errors mean to whoever starts a server, by name, or by message where the name says nothing. */
const STORE_FAILURES: Readonly<Record<string, string>> = {
  ResourceNotFoundException: 'there is no such table: name it with --table, and its region with --region',
  'Region is missing': 'its region is not known: name it with --region or AWS_REGION',
  CredentialsProviderError:
    'there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  AccessDeniedException: 'the AWS credentials do not allow what a server does with it',
  UnrecognizedClientException: 'the AWS credentials are not valid',
  ECONNREFUSED: 'nothing listens at its endpoint: check --endpoint',
  ENOTFOUND: 'its endpoint has no address: check --region and --endpoint',
};

/** Runs what needs the store first. @throws CommandFailure that says why a DynamoDB table cannot be used. */
export async function usingStore<T>(store: Store, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { name = '', code = '', message = '' } = error as NodeJS.ErrnoException;
    const reason = STORE_FAILURES[name] ?? STORE_FAILURES[code] ?? STORE_FAILURES[message];
    if (store.kind !== 'dynamodb' || reason === undefined) throw error;
    throw new CommandFailure(`cannot use the DynamoDB table "${store.table}": ${reason}`, { cause: error });
  }
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
