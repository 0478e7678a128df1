import { Counter, Histogram, type Registry } from 'prom-client';
import { RRType, rcodeName } from '../dns/constants.ts';
import { rcodeOf } from '../dns/walk.ts';
import type { QueryObserver } from '../resolve/exchange.ts';
import { QueryTypes } from '../resolve/query-types.ts';
import type { AnswerSource, Resolution } from '../resolve/resolver.ts';

const SOURCES: readonly AnswerSource[] = ['registry', 'special', 'forwarded', 'cache', 'stale', 'error'];
const CACHE = SOURCES.indexOf('cache');
const ERROR = SOURCES.indexOf('error');

const TYPES = new QueryTypes({
  A: RRType.A,
  AAAA: RRType.AAAA,
  ANY: RRType.ANY,
  CAA: RRType.CAA,
  CNAME: RRType.CNAME,
  DNSKEY: RRType.DNSKEY,
  DS: RRType.DS,
  HTTPS: RRType.HTTPS,
  MX: RRType.MX,
  NS: RRType.NS,
  PTR: RRType.PTR,
  SOA: RRType.SOA,
  SRV: RRType.SRV,
  SVCB: RRType.SVCB,
  TXT: RRType.TXT,
});

/** Those of the header, and BADVERS, which an OPT completes (RFC 6891 section 6.1.3). */
const RCODE_COUNT = 17;
const BADVERS = 16;

/** What was answered, in plain numbers: a cached answer adds one to one of them. A scrape makes metrics of them. */
export class QueryCounts implements QueryObserver {
  readonly #answers = new Float64Array(SOURCES.length * RCODE_COUNT * TYPES.count);
  readonly #durations: Histogram<'source'>;
  #malformed = 0;

  constructor(registry: Registry) {
    const registers = [registry];
    const collectAnswers = (counter: Counter) => this.#collectAnswers(counter);
    const malformed = () => this.#malformed;
    new Counter({
      name: 'meshdoh_queries_total',
      help: 'DNS queries answered, by response code, query type and where the answer came from.',
      labelNames: ['rcode', 'type', 'source'],
      registers,
      collect() {
        collectAnswers(this);
      },
    });
    new Counter({
      name: 'meshdoh_malformed_queries_total',
      help: 'Requests that carried no DNS query.',
      registers,
      collect() {
        this.reset();
        this.inc(malformed());
      },
    });
    this.#durations = new Histogram({
      name: 'meshdoh_query_duration_seconds',
      help: 'How long the queries took that were not answered from the cache at once, by where the answer came from.',
      labelNames: ['source'],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    });
  }

  cached(response: Uint8Array): void {
    this.#count(CACHE, rcodeOf(response), response);
  }

  resolved({ wire, source }: Resolution, elapsedMs: number): void {
    const index = SOURCES.indexOf(source);
    const rcode = rcodeOf(wire);
    // An error whose header says that there is none: the rest of its code is in the OPT.
    this.#count(index, index === ERROR && rcode === 0 ? BADVERS : rcode, wire);
    this.#durations.observe({ source }, elapsedMs / 1000);
  }

  malformed(): void {
    this.#malformed += 1;
  }

  #count(source: number, rcode: number, wire: Uint8Array): void {
    const at = (source * RCODE_COUNT + rcode) * TYPES.count + TYPES.indexOf(wire);
    this.#answers[at] = (this.#answers[at] ?? 0) + 1;
  }

  #collectAnswers(counter: Counter): void {
    counter.reset();
    for (const [at, count] of this.#answers.entries()) {
      if (count === 0) continue;
      const rcode = Math.floor(at / TYPES.count);
      counter.inc(
        {
          rcode: rcodeName(rcode % RCODE_COUNT),
          type: TYPES.label(at % TYPES.count),
          source: SOURCES[Math.floor(rcode / RCODE_COUNT)] ?? '',
        },
        count,
      );
    }
  }
}
