import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { UpstreamFailure } from '../forward/forwarder.ts';
import type { PoolReader, PoolReport } from '../registry/operations.ts';
import type { WriteOutcome } from '../registry/writer.ts';
import type { CacheCounters } from '../resolve/exchange.ts';
import { QueryCounts } from './metrics-queries.ts';

/** What a scrape asks of the answer cache. */
export interface CacheFigures extends CacheCounters {
  readonly octets: number;
  readonly entries: number;
}

/** Reading a pool costs a query of the store for each, and scrapers come as often as they like. */
const POOL_FIGURES_MS = 30_000;
/** A scraper waits 10 s as a rule; it gets the other figures at least. */
const POOL_TIMEOUT_MS = 2_000;

/** A counter that something else counts. */
function counted(registry: Registry, name: string, help: string, value: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(value());
    },
  });
}

function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
}

/** What a server tells of itself to Prometheus. Each server has its own; no label holds a name that was asked for. */
export class Metrics {
  readonly queries: QueryCounts;
  readonly #registry = new Registry();
  readonly #upstreamFailures: Counter<'upstream' | 'kind'>;
  readonly #registryErrors: Counter;
  readonly #writes: Counter<'outcome'>;
  readonly #connectionCounts = new Map<string, () => number>();

  constructor(version: string) {
    const registers = [this.#registry];
    this.queries = new QueryCounts(this.#registry);
    this.#upstreamFailures = new Counter({
      name: 'meshdoh_upstream_failures_total',
      help: 'Attempts at an upstream that brought no answer, by upstream and what went wrong.',
      labelNames: ['upstream', 'kind'],
      registers,
    });
    this.#registryErrors = new Counter({
      name: 'meshdoh_registry_read_errors_total',
      help: 'Reads of the registry for queries that failed; the last known state answers, if there is one.',
      registers,
    });
    this.#writes = new Counter({
      name: 'meshdoh_registry_writes_total',
      help: 'Writes to the registry: created, configured, unchanged, deleted, or the reason of the refusal.',
      labelNames: ['outcome'],
      registers,
    });
    const counts = this.#connectionCounts;
    new Gauge({
      name: 'meshdoh_open_connections',
      help: 'Connections that clients have open, by listener.',
      labelNames: ['listener'],
      registers,
      collect() {
        for (const [listener, count] of counts) this.set({ listener }, count());
      },
    });
    new Gauge({ name: 'meshdoh_build_info', help: 'The version.', labelNames: ['version'], registers }).set(
      { version },
      1,
    );
    collectDefaultMetrics({ register: this.#registry });
  }

  readonly upstreamFailed = ({ upstream, kind }: Pick<UpstreamFailure, 'upstream' | 'kind'>): void =>
    this.#upstreamFailures.inc({ upstream, kind });

  readonly registryReadFailed = (): void => this.#registryErrors.inc();

  readonly wrote = (outcome: WriteOutcome): void =>
    this.#writes.inc({ outcome: outcome.kind === 'rejected' ? outcome.reason : outcome.kind });

  watchCache(figures: () => CacheFigures): void {
    const registry = this.#registry;
    const name = (what: string): string => `meshdoh_answer_cache_${what}`;
    counted(registry, name('hits_total'), 'Queries answered from the cache.', () => figures().hits);
    counted(registry, name('misses_total'), 'Queries that the cache had no answer to.', () => figures().misses);
    const stale = 'Queries answered from the cache after the end of the answer, because the upstreams failed.';
    counted(registry, name('stale_total'), stale, () => figures().stale);
    gauge(registry, name('bytes'), 'Memory that the answers take up.', () => figures().octets);
    gauge(registry, name('entries'), 'Answers and decisions that are kept.', () => figures().entries);
  }

  /** `listener` is its name in the label: `http`, `https`. */
  watchConnections(listener: string, count: () => number): void {
    this.#connectionCounts.set(listener, count);
  }

  /** Figures of the pools, as old as 30 s; none while the store does not answer. */
  watchPools(pools: Pick<PoolReader, 'pools'>, now: () => number = Date.now): void {
    const known = keptFor(POOL_FIGURES_MS, () => pools.pools(AbortSignal.timeout(POOL_TIMEOUT_MS)), now);
    new Gauge({
      name: 'meshdoh_vip_pool_addresses',
      help: 'Virtual IPs of a pool by state: live, tombstoned (kept for the last holder), pinned (written by entries), free.',
      labelNames: ['pool', 'state'],
      registers: [this.#registry],
      async collect() {
        const reports = await known();
        this.reset();
        for (const { ipv4, live, tombstoned, pinned, free } of reports) {
          for (const [state, count] of Object.entries({ live, tombstoned, pinned, free })) {
            this.set({ pool: ipv4, state }, count);
          }
        }
      },
    });
    new Gauge({
      name: 'meshdoh_vip_pool_capacity',
      help: 'Virtual IPs that a pool can give out.',
      labelNames: ['pool', 'state'],
      registers: [this.#registry],
      async collect() {
        const reports = await known();
        this.reset();
        for (const { ipv4, state, capacity } of reports) this.set({ pool: ipv4, state }, capacity);
      },
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** In Prometheus' text format. */
  scrape(): Promise<string> {
    return this.#registry.metrics();
  }
}

/** Reads at most once in `maxAgeMs`, whoever asks; a failed read counts as one, with nothing read. */
function keptFor(
  maxAgeMs: number,
  read: () => Promise<readonly PoolReport[]>,
  now: () => number,
): () => Promise<readonly PoolReport[]> {
  let kept: Promise<readonly PoolReport[]> = Promise.resolve([]);
  let readAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (now() - readAt >= maxAgeMs) {
      readAt = now();
      kept = read().catch(() => []);
    }
    return kept;
  };
}
