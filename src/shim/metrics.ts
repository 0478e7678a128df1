import { RRType, rcodeName } from '../dns/constants.ts';
import { rcodeOf } from '../dns/walk.ts';
import type { QueryObserver } from '../resolve/exchange.ts';
import { QueryTypes } from '../resolve/query-types.ts';
import type { Resolution } from '../resolve/resolver.ts';

/** Where answers come from. */
const SOURCES = ['cache', 'stale', 'table', 'doh', 'system', 'route', 'special', 'error'] as const;
export type ShimSource = (typeof SOURCES)[number];

const TYPES = new QueryTypes({
  A: RRType.A,
  AAAA: RRType.AAAA,
  CNAME: RRType.CNAME,
  DNSKEY: RRType.DNSKEY,
  DS: RRType.DS,
  HTTPS: RRType.HTTPS,
  MX: RRType.MX,
  NS: RRType.NS,
  PTR: RRType.PTR,
  SOA: RRType.SOA,
  SRV: RRType.SRV,
  TXT: RRType.TXT,
});
const RCODE_COUNT = 16;

/** Upper bounds of the time that answers took which were not in the cache, in seconds. */
const BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4];

function sourceOf({ source, upstream }: Resolution): ShimSource {
  if (source === 'forwarded')
    return (SOURCES as readonly string[]).includes(upstream ?? '') ? (upstream as ShimSource) : 'doh';
  return source === 'registry' ? 'table' : source;
}

/** What was answered, in plain numbers: an answer from the cache adds one to one of them. */
export class ShimMetrics implements QueryObserver {
  readonly #answers = new Float64Array(SOURCES.length * RCODE_COUNT * TYPES.count);
  readonly #durations = SOURCES.map(() => ({ counts: new Float64Array(BUCKETS.length + 1), sum: 0 }));
  #malformed = 0;

  cached(response: Uint8Array): void {
    this.#count(SOURCES.indexOf('cache'), response);
  }

  resolved(resolution: Resolution, elapsedMs: number): void {
    const source = SOURCES.indexOf(sourceOf(resolution));
    this.#count(source, resolution.wire);
    const durations = this.#durations[source];
    if (durations === undefined) return;
    const seconds = elapsedMs / 1000;
    const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
    const at = bucket === -1 ? BUCKETS.length : bucket;
    durations.counts[at] = (durations.counts[at] ?? 0) + 1;
    durations.sum += seconds;
  }

  malformed(): void {
    this.#malformed++;
  }

  /** In the text format of Prometheus. */
  text(gauges: readonly Gauge[]): string {
    const counters = [
      counter('queries', 'Queries answered, by type, response code and source.', this.#answerValues()),
      counter('malformed_queries', 'Messages that are no query.', [[{}, this.#malformed]]),
    ];
    const lines = [...counters.flatMap(gaugeLines), ...this.#durationLines(), ...gauges.flatMap(gaugeLines)];
    return `${lines.join('\n')}\n`;
  }

  #count(source: number, response: Uint8Array): void {
    const at = (source * RCODE_COUNT + rcodeOf(response)) * TYPES.count + TYPES.indexOf(response);
    this.#answers[at] = (this.#answers[at] ?? 0) + 1;
  }

  #answerValues(): Gauge['values'] {
    return [...this.#answers.entries()].flatMap(([at, count]) => {
      if (count === 0) return [];
      const rcode = Math.floor(at / TYPES.count);
      const labels = {
        type: TYPES.label(at % TYPES.count),
        rcode: rcodeName(rcode % RCODE_COUNT),
        source: SOURCES[Math.floor(rcode / RCODE_COUNT)] ?? '',
      };
      return [[labels, count] as const];
    });
  }

  #durationLines(): string[] {
    const name = 'meshdoh_shim_query_duration_seconds';
    const lines = this.#durations.flatMap(({ counts, sum }, index) => {
      const total = sumOf(counts);
      if (total === 0) return [];
      const source = SOURCES[index] ?? '';
      const bounds = [...BUCKETS, '+Inf'].map((bound, bucket) => {
        const within = sumOf(counts.subarray(0, bucket + 1));
        return `${name}_bucket${labelText({ source, le: String(bound) })} ${within}`;
      });
      const label = labelText({ source });
      return [...bounds, `${name}_sum${label} ${sum}`, `${name}_count${label} ${total}`];
    });
    return [...family(name, 'histogram', 'How long answers took that were not cached.'), ...lines];
  }
}

/** A family of values that are known when somebody asks. */
export interface Gauge {
  readonly name: string;
  readonly kind?: 'gauge' | 'counter';
  readonly help: string;
  readonly values: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];
}

export const counter = (name: string, help: string, values: Gauge['values']): Gauge => ({
  name: `meshdoh_shim_${name}_total`,
  kind: 'counter',
  help,
  values,
});

const sumOf = (counts: Float64Array): number => counts.reduce((sum, count) => sum + count, 0);

const family = (name: string, kind: string, help: string): string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${kind}`,
];

const gaugeLines = ({ name, kind = 'gauge', help, values }: Gauge): string[] => [
  ...family(name, kind, help),
  ...values.map(([labels, value]) => `${name}${labelText(labels)} ${value}`),
];

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/["\\\n]/g, '\\$&')}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
