import { rcodeName } from '../dns/constants.ts';
import { rcodeOf } from '../dns/walk.ts';
import type { PoolReport } from '../registry/operations.ts';
import type { QueryObserver } from '../resolve/exchange.ts';
import type { AnswerSource, Resolution } from '../resolve/resolver.ts';

/** Where CloudWatch keeps the metrics, by function. */
const METRICS_NAMESPACE = 'meshdoh';

type Unit = 'Count' | 'Milliseconds' | 'Percent';

interface Metric {
  readonly name: string;
  readonly unit: Unit;
  readonly value: number | readonly number[];
}

/** One line of CloudWatch's embedded metric format: the log is where the metrics come from. */
function metricLine(functionName: string, now: number, metrics: readonly Metric[]): string {
  const definitions = metrics.map(({ name, unit }) => ({ Name: name, Unit: unit }));
  const directive = { Namespace: METRICS_NAMESPACE, Dimensions: [['Function']], Metrics: definitions };
  const values = metrics.map(({ name, value }) => [name, value]);
  const line = { _aws: { Timestamp: now, CloudWatchMetrics: [directive] }, Function: functionName };
  return `${JSON.stringify({ ...line, ...Object.fromEntries(values) })}\n`;
}

const SOURCE_METRICS: Readonly<Record<AnswerSource, string>> = {
  registry: 'FromRegistry',
  special: 'FromSpecialNames',
  forwarded: 'FromUpstreams',
  cache: 'FromCache',
  stale: 'FromStaleAnswers',
  error: 'FromErrors',
};

/** Each name is paid for: what clients rarely see shares one. */
const RCODE_METRICS: ReadonlySet<string> = new Set(['NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED']);

/** A metric takes at most 100 values from one line. */
const MOST_VALUES = 100;
/** The longest that what is counted waits for its line while queries come. */
const LONGEST_WAIT_MS = 10_000;

export interface QueryMetricsOptions {
  readonly functionName: string;
  /** Takes a line; it must not hold it back, or it is lost when the environment is frozen. */
  readonly write: (line: string) => void;
  /** Wall clock in milliseconds. */
  readonly now?: () => number;
}

/**
 * Counts queries, and tells them in one line for up to a hundred of them. The first of a quiet environment is told at
 * once; what it counts within ten seconds after a line, and then falls silent, stays untold.
 */
export class QueryMetrics implements QueryObserver {
  readonly #options: Required<QueryMetricsOptions>;
  #counts = new Map<string, number>();
  #latencies: number[] = [];
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: QueryMetricsOptions) {
    this.#options = { now: Date.now, ...options };
  }

  cached(response: Uint8Array): void {
    this.#answered('cache', response, 0);
  }

  resolved({ source, wire }: Resolution, elapsedMs: number): void {
    this.#answered(source, wire, elapsedMs);
  }

  malformed(): void {
    this.#count('Malformed');
  }

  /** The table could not be read, whatever was answered then. */
  registryReadFailed(): void {
    this.#count('RegistryErrors');
  }

  upstreamFailed(): void {
    this.#count('UpstreamErrors');
  }

  /** The handler, and a line at the end of an invocation if it is time for one. */
  around<Event, Result>(handler: (event: Event) => Promise<Result>): (event: Event) => Promise<Result> {
    return (event) => handler(event).finally(() => this.#flush());
  }

  #flush(): void {
    const now = this.#options.now();
    const isDue = this.#latencies.length >= MOST_VALUES || Math.abs(now - this.#toldAt) >= LONGEST_WAIT_MS;
    if (this.#counts.size === 0 || !isDue) return;
    const counts = [...this.#counts].map(([name, value]): Metric => ({ name, unit: 'Count', value }));
    const latency: Metric[] =
      this.#latencies.length > 0 ? [{ name: 'Latency', unit: 'Milliseconds', value: this.#latencies }] : [];
    this.#options.write(metricLine(this.#options.functionName, now, [...counts, ...latency]));
    this.#counts = new Map();
    this.#latencies = [];
    this.#toldAt = now;
  }

  #answered(source: AnswerSource, wire: Uint8Array, elapsedMs: number): void {
    const rcode = rcodeName(rcodeOf(wire));
    this.#count('Queries');
    this.#count(SOURCE_METRICS[source]);
    this.#count(RCODE_METRICS.has(rcode) ? rcode : 'OtherRcodes');
    if (this.#latencies.length < MOST_VALUES) this.#latencies.push(Math.round(elapsedMs * 10) / 10);
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}

/** How full the pool is that allocations come from; undefined while the registry has never been opened for writing. */
export function poolMetrics(functionName: string, now: number, pools: readonly PoolReport[]): string | undefined {
  const active = pools.find(({ state }) => state === 'active');
  if (!active) return undefined;
  const { capacity, live, tombstoned, pinned, free } = active;
  const count = (name: string, value: number): Metric => ({ name, unit: 'Count', value });
  return metricLine(functionName, now, [
    count('PoolLive', live),
    count('PoolTombstoned', tombstoned),
    count('PoolPinned', pinned),
    count('PoolFree', free),
    { name: 'PoolTaken', unit: 'Percent', value: (100 * (capacity - free)) / capacity },
  ]);
}
