import { Hono } from 'hono';
import { formErrorOf } from '../dns/response.ts';
import { createApp } from '../http/app.ts';
import type { Credentials } from '../http/credentials.ts';
import type { DohTransaction } from '../http/doh-transaction.ts';
import { createHealthApp } from '../http/health-app.ts';
import { adminTokenCredentials, openCredentials } from '../http/local-credentials.ts';
import { Metrics } from '../http/metrics.ts';
import { createMetricsApp, createOpenMetricsApp } from '../http/metrics-app.ts';
import { type TokenLookup, tokenCredentials } from '../http/token-credentials.ts';
import type { RegistryWriter } from '../registry/writer.ts';
import { createAdminSide } from '../service/admin-side.ts';
import { createQuerySide } from '../service/query-side.ts';
import { readinessChecks } from '../service/readiness.ts';
import type { Settings } from '../settings.ts';
import type { OpenStore } from './open-store.ts';
import { packageVersion } from './package-root.ts';

/** meshdoh without its sockets. */
export interface Service {
  readonly metrics: Metrics;
  /** What a listener of its own for scrapers serves. */
  readonly probes: { readonly health: Hono; readonly metrics: Hono };
  readonly doh: DohTransaction;
  readonly app: Hono;
  readonly writer: RegistryWriter;
  /** Answers one DNS message, for listeners that carry them bare. */
  readonly exchange: (wire: Buffer) => Promise<Buffer>;
  /** Ends what would go on by itself: watches. */
  closing(): void;
  close(): Promise<void>;
}

export interface ServiceOptions {
  readonly settings: Settings;
  readonly store: OpenStore;
  readonly adminToken: string;
  readonly report: (error: unknown) => void;
}

const credentialsOf = ({ auth, view }: Settings, adminToken: string, tokens: TokenLookup): Credentials =>
  tokenCredentials(auth === 'none' ? openCredentials(view) : adminTokenCredentials(adminToken, view), tokens);

/** Longer than any credential takes to be judged: a scrape waits for no store. */
const SCRAPE_TIMEOUT_MS = 10_000;

/** Builds both sides on the store and joins them. */
export async function createService({ settings, store, adminToken, report }: ServiceOptions): Promise<Service> {
  const { view, queryTimeoutMs } = settings;
  const metrics = new Metrics(packageVersion);
  const querySide = createQuerySide(store.queries, settings, metrics);
  const { exchange, cache, doh: dohFor, committed, tables, tokens, close } = querySide;
  const credentials = credentialsOf(settings, adminToken, tokens);
  const ending = new AbortController();
  const {
    app: admin,
    writer,
    pools,
  } = await createAdminSide(store.administration, settings, {
    credentials,
    committed,
    tables,
    tokenChanged: (sha256) => tokens.forget(sha256),
    wrote: metrics.wrote,
    ending: ending.signal,
    report,
  });
  if (cache) metrics.watchCache(() => ({ ...exchange.counters, octets: cache.octets, entries: cache.entries }));
  metrics.watchPools(pools);
  const health = createHealthApp({ checks: readinessChecks(store.administration, settings) });
  const scrape = createMetricsApp(metrics, { credentials, adminTimeoutMs: SCRAPE_TIMEOUT_MS, report });
  const doh = dohFor(credentials);
  return {
    doh,
    metrics,
    probes: { health, metrics: createOpenMetricsApp(metrics) },
    app: createApp({ doh, admin: new Hono().route('/', health).route('/', scrape).route('/', admin), report }),
    writer,
    exchange: async (wire) => {
      const exchanged = await exchange.answer(wire, view, () => AbortSignal.timeout(queryTimeoutMs));
      return 'malformed' in exchanged ? formErrorOf(wire) : exchanged.wire;
    },
    closing: () => ending.abort(),
    close,
  };
}
