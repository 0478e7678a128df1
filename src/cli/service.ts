import type { Hono } from 'hono';
import { decodeQuery } from '../dns/query.ts';
import { formErrorOf } from '../dns/response.ts';
import { createForwarder } from '../forward/upstream-forwarder.ts';
import { createAdminApp } from '../http/admin-app.ts';
import { createApp } from '../http/app.ts';
import type { Credentials } from '../http/credentials.ts';
import { createDohTransaction, type DohTransaction } from '../http/doh-transaction.ts';
import { adminTokenCredentials, openCredentials } from '../http/local-credentials.ts';
import { createDynamoDbEntries } from '../registry/dynamodb-entries.ts';
import { activatePool } from '../registry/dynamodb-open.ts';
import { createDynamoDbReader } from '../registry/dynamodb-reader.ts';
import { createDynamoDbWriter } from '../registry/dynamodb-writer.ts';
import type { RegistryWriter } from '../registry/writer.ts';
import { createResolver } from '../resolve/resolver.ts';
import type { Settings } from '../settings.ts';
import { createPool } from '../vip/pool.ts';
import type { OpenStore } from './open-store.ts';

/** What an administrator's request may take: a write among many contenders. */
const ADMIN_TIMEOUT_MS = 10_000;

/** meshdoh without its sockets. */
export interface Service {
  readonly doh: DohTransaction;
  readonly app: Hono;
  readonly writer: RegistryWriter;
  /** Answers one DNS message, for listeners that carry them bare. */
  readonly exchange: (wire: Buffer) => Promise<Buffer>;
  close(): Promise<void>;
}

export interface ServiceOptions {
  readonly settings: Settings;
  readonly store: OpenStore;
  readonly adminToken: string;
  readonly report: (error: unknown) => void;
}

const credentialsOf = ({ auth, view }: Settings, adminToken: string): Credentials =>
  auth === 'none' ? openCredentials(view) : adminTokenCredentials(adminToken, view);

/** Builds every part on the store and joins them. */
export async function createService({ settings, store, adminToken, report }: ServiceOptions): Promise<Service> {
  const { queryTimeoutMs, registryCacheMs, staleMaxMs, tombstoneMs, upstreams, upstreamTimeoutMs } = settings;
  const pool = createPool(settings.pools);
  const draining = await activatePool(store.administration, pool, AbortSignal.timeout(ADMIN_TIMEOUT_MS));
  const writer = createDynamoDbWriter(store.administration, { pool, draining, tombstoneMs });
  const reader = createDynamoDbReader(store.queries, { registryCacheMs, staleMaxMs });
  const forwarder = createForwarder({ upstreams, routes: Object.fromEntries(settings.routes), upstreamTimeoutMs });
  const vipPrefixes = [pool, ...draining].flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
  const resolver = createResolver({ ...settings, vipPrefixes }, { reader, forwarder });
  const credentials = credentialsOf(settings, adminToken);
  const committed = (hosts: readonly string[]) => reader.expire(hosts);
  const entries = createDynamoDbEntries(store.administration);
  const doh = createDohTransaction({ resolver, credentials, queryTimeoutMs });
  const admin = createAdminApp({ entries, writer, credentials, adminTimeoutMs: ADMIN_TIMEOUT_MS, committed, report });
  return {
    doh,
    app: createApp({ doh, admin, report }),
    writer,
    exchange: async (wire) => {
      const decoded = decodeQuery(wire);
      if (!decoded.ok) return formErrorOf(wire);
      const signal = AbortSignal.timeout(queryTimeoutMs);
      return (await resolver.resolve(decoded.query, settings.view, signal)).wire;
    },
    close: () => forwarder.close(),
  };
}
