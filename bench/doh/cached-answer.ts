import { decode, encode } from 'dns-packet';
import { AnswerCache } from '../../src/cache/answer-cache.ts';
import { decodeQuery } from '../../src/dns/query.ts';
import { encodeResponse } from '../../src/dns/response.ts';
import { ADDRESS, QUERIES } from './zone.ts';

const VIEW = 'a view';
const TTL = 30;
const CALLS = 200_000;

function filledCache(): AnswerCache {
  const cache = new AnswerCache({ maxBytes: 2 ** 20, decisionMaxMs: 3_600_000, staleMaxMs: 0 });
  for (const query of QUERIES) {
    const decoded = decodeQuery(query);
    if (!decoded.ok || !decoded.query.question) throw new Error('a query of this bench is none');
    const { qname: owner } = decoded.query.question;
    const answers = [{ owner, type: 'A', ttl: TTL, address: ADDRESS } as const];
    cache.keepOwned(query, VIEW, encodeResponse(decoded.query, { rcode: 0, answers }), TTL, cache.generation);
  }
  return cache;
}

/** The same answer by a general codec: the query taken apart, the response put together. */
function decodeAndEncode(query: Buffer): Buffer {
  const { id = 0, questions = [] } = decode(query);
  const name = questions[0]?.name ?? '.';
  return encode({ type: 'response', id, questions, answers: [{ type: 'A', name, ttl: TTL, data: ADDRESS }] });
}

/** Nanoseconds a call. */
function timed(answer: (query: Buffer) => Buffer | undefined): number {
  const started = process.hrtime.bigint();
  for (let call = 0; call < CALLS; call++) {
    if (answer(QUERIES[call % QUERIES.length] as Buffer) === undefined) throw new Error('a query without an answer');
  }
  return Number(process.hrtime.bigint() - started) / CALLS;
}

export interface CodecTimes {
  readonly cached: readonly number[];
  readonly codec: readonly number[];
}

/** An answer from the cache and one by dns-packet, in turn, without I/O; the first round of each warms it up. */
export function measureCachedAnswer(rounds: number): CodecTimes {
  const cache = filledCache();
  const fromCache = (query: Buffer) => cache.find(query, VIEW)?.wire;
  const times = Array.from({ length: rounds + 1 }, () => ({
    cached: timed(fromCache),
    codec: timed(decodeAndEncode),
  })).slice(1);
  return { cached: times.map(({ cached }) => cached), codec: times.map(({ codec }) => codec) };
}
