import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { adminTokenCredentials, openCredentials } from '../../src/http/local-credentials.ts';
import { createOperationsApp } from '../../src/http/operations-app.ts';
import { createDynamoDbFsck } from '../../src/registry/dynamodb-fsck.ts';
import { createDynamoDbPools } from '../../src/registry/dynamodb-pools.ts';
import { DEFAULT_VIEW, openTestRegistry, TABLE, type TestRegistry, TOMBSTONE_MS } from '../support/registry.ts';

export interface OperationsServer {
  readonly url: string;
  readonly registry: TestRegistry;
  close(): Promise<void>;
}

/** The operations API on a registry of its own; every part of a check ends after one page. */
export async function openOperationsServer(token?: string): Promise<OperationsServer> {
  const registry = await openTestRegistry();
  const { client, pool, clock } = registry;
  const source = { client, table: TABLE };
  const now = () => clock.now;
  const faults: unknown[] = [];
  const app = createOperationsApp({
    pools: createDynamoDbPools(source, now),
    fsck: createDynamoDbFsck(source, { pool, draining: [], tombstoneMs: TOMBSTONE_MS, now, partMs: 0 }),
    credentials: token === undefined ? openCredentials(DEFAULT_VIEW) : adminTokenCredentials(token, DEFAULT_VIEW),
    adminTimeoutMs: 10_000,
    report: (error) => faults.push(error),
  });
  const server = createAdaptorServer({ fetch: app.fetch });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    registry,
    async close() {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
      await registry.db.close();
      if (faults.length > 0) throw new AggregateError(faults, 'faults at the server');
    },
  };
}
