import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Credentials } from '../../src/http/credentials.ts';
import { openCredentials } from '../../src/http/local-credentials.ts';
import { createOperatorApps } from '../../src/service/operator-apps.ts';
import { defaults, type Settings } from '../../src/settings.ts';
import { openTestRegistry, TABLE, type TestRegistry } from './registry.ts';

export interface OperatorApps {
  readonly registry: TestRegistry;
  readonly app: Hono;
  /** Hashes of tokens that were made or revoked. */
  readonly changed: string[];
  /** What no client is told of. */
  readonly faults: unknown[];
}

/** What operators ask of views, credentials and names, on a registry of its own. */
export async function openOperatorApps(
  settings: Partial<Settings> = {},
  credentials: Credentials = openCredentials(defaults.view),
): Promise<OperatorApps> {
  const registry = await openTestRegistry();
  // The apps go by the clock on the wall.
  registry.clock.now = Date.now();
  const changed: string[] = [];
  const faults: unknown[] = [];
  const app = createOperatorApps(
    { client: registry.client, table: TABLE },
    { ...defaults, ...settings },
    {
      credentials,
      adminTimeoutMs: 10_000,
      tokenChanged: (sha256) => changed.push(sha256),
      report: (error) => faults.push(error),
    },
  );
  return { registry, app, changed, faults };
}

export interface OperatorServer extends OperatorApps {
  readonly url: string;
  close(): Promise<void>;
}

export async function openOperatorServer(settings: Partial<Settings> = {}): Promise<OperatorServer> {
  const apps = await openOperatorApps(settings);
  const server = createAdaptorServer({ fetch: apps.app.fetch });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  return {
    ...apps,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
      await apps.registry.db.close();
      if (apps.faults.length > 0) throw new AggregateError(apps.faults, 'faults at the server');
    },
  };
}
