import { parseName } from '../../src/dns/name.ts';
import type { Forwarder } from '../../src/forward/forwarder.ts';
import { createAdminApp } from '../../src/http/admin-app.ts';
import { createDohTransaction } from '../../src/http/doh-transaction.ts';
import { adminTokenCredentials, openCredentials } from '../../src/http/local-credentials.ts';
import { startNodeServer } from '../../src/http/node-server.ts';
import { createExchange } from '../../src/resolve/exchange.ts';
import { createResolver } from '../../src/resolve/resolver.ts';
import { DEFAULT_VIEW, openTestRegistry, type TestRegistry } from '../support/registry.ts';

export interface TestServer {
  /** `http://127.0.0.1:…`, or `https://localhost:…` with TLS. */
  readonly url: string;
  readonly registry: TestRegistry;
  close(): Promise<void>;
}

interface TestServerOptions {
  /** Asks for this administrator's token; without it, for none. */
  readonly token?: string;
  readonly tls?: { readonly cert: string; readonly key: string };
}

const UNEXPECTED: Forwarder = {
  forward: () => Promise.reject(new Error('nothing was to be forwarded')),
  upstreamsFor: () => [],
  hasRouteFor: () => false,
  close: async () => undefined,
};

const privateZones = ['internal', 'cluster.local'].map(parseName).filter((zone) => zone !== undefined);

/** The admin API and DoH on a registry of their own, as `meshdoh serve` has them. */
export async function openTestServer({ token, tls }: TestServerOptions = {}): Promise<TestServer> {
  const registry = await openTestRegistry();
  const { entries, writer, reader } = registry;
  const credentials = token === undefined ? openCredentials(DEFAULT_VIEW) : adminTokenCredentials(token, DEFAULT_VIEW);
  const resolver = createResolver(
    {
      ttl: { vip: 300, owned: 30, negative: 30 },
      privateZones,
    },
    { reader, forwarder: UNEXPECTED },
  );
  const faults: unknown[] = [];
  const report = (error: unknown) => faults.push(error);
  const committed = (hosts: readonly string[]) => reader.expire(hosts);
  const server = await startNodeServer({
    address: '127.0.0.1',
    port: 0,
    ...(tls ? { tls } : {}),
    app: createAdminApp({ entries, writer, credentials, adminTimeoutMs: 10_000, committed, report }),
    doh: createDohTransaction({ exchange: createExchange(resolver, undefined), credentials, queryTimeoutMs: 1500 }),
    report,
  });
  return {
    url: tls ? `https://localhost:${server.port}` : `http://127.0.0.1:${server.port}`,
    registry,
    async close() {
      await server.close();
      await registry.db.close();
      if (faults.length > 0) throw new AggregateError(faults, 'faults at the server');
    },
  };
}
