import { Counter, Histogram, type Registry } from 'prom-client';
import { RRType, rcodeName, typeName } from '../dns/constants.ts';
import { endOfName } from '../dns/name.ts';
import { uint16 } from '../dns/octets.ts';
import { HEADER_OCTETS } from '../dns/query.ts';
import { rcodeOf } from '../dns/walk.ts';
import type { QueryObserver } from '../resolve/exchange.ts';
import type { AnswerSource, Resolution } from '../resolve/resolver.ts';

const SOURCES: readonly AnswerSource[] = ['registry', 'special', 'forwarded', 'cache', 'stale', 'error'];
const CACHE = SOURCES.indexOf('cache');
const ERROR = SOURCES.indexOf('error');

/** The types that are told apart: a client chooses from 65,536, and each label value is a time series for ever. */
const TYPES: readonly number[] = [
  RRType.A,
  RRType.AAAA,
  RRType.ANY,
  RRType.CAA,
  RRType.CNAME,
  RRType.DNSKEY,
  RRType.DS,
  RRType.HTTPS,
  RRType.MX,
  RRType.NS,
  RRType.PTR,
  RRType.SOA,
  RRType.SRV,
  RRType.SVCB,
  RRType.TXT,
];
const OTHER = TYPES.length;
const TYPE_COUNT = TYPES.length + 1;
const MOST_TYPE = Math.max(...TYPES);

/** By type: a table costs less than a map where every answer looks into it. */
const TYPE_INDEX: Uint8Array = new Uint8Array(MOST_TYPE + 1).fill(OTHER);
for (const [index, type] of TYPES.entries()) TYPE_INDEX[type] = index;

/** Those of the header, and BADVERS, which an OPT completes (RFC 6891 section 6.1.3). */
const RCODE_COUNT = 17;
const BADVERS = 16;

const typeLabel = (index: number): string => (index === OTHER ? 'other' : typeName(TYPES[index] ?? 0));

/** Index of the type that a message asks for. */
function typeIndexOf(wire: Uint8Array): number {
  if (wire.length < HEADER_OCTETS || uint16(wire, 4) !== 1) return OTHER;
  const end = endOfName(wire, HEADER_OCTETS);
  return end === undefined || end + 2 > wire.length ? OTHER : (TYPE_INDEX[uint16(wire, end)] ?? OTHER);
}

/** What was answered, in plain numbers: a cached answer adds one to one of them. A scrape makes metrics of them. */
export class QueryCounts implements QueryObserver {
  readonly #answers = new Float64Array(SOURCES.length * RCODE_COUNT * TYPE_COUNT);
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
    const at = (source * RCODE_COUNT + rcode) * TYPE_COUNT + typeIndexOf(wire);
    this.#answers[at] = (this.#answers[at] ?? 0) + 1;
  }

  #collectAnswers(counter: Counter): void {
    counter.reset();
    for (const [at, count] of this.#answers.entries()) {
      if (count === 0) continue;
      const rcode = Math.floor(at / TYPE_COUNT);
      counter.inc(
        {
          rcode: rcodeName(rcode % RCODE_COUNT),
          type: typeLabel(at % TYPE_COUNT),
          source: SOURCES[Math.floor(rcode / RCODE_COUNT)] ?? '',
        },
        count,
      );
    }
  }
}
