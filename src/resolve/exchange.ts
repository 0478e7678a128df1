import { hash } from 'node:crypto';
import type { AnswerCache } from '../cache/answer-cache.ts';
import { EdeCode, Rcode } from '../dns/constants.ts';
import { type DnsQuery, decodeQuery } from '../dns/query.ts';
import { encodeResponse } from '../dns/response.ts';
import type { View } from '../table/view.ts';
import type { Resolution, Resolver } from './resolver.ts';

/** A response, or why the octets are no query. */
export type Exchanged = Resolution | { readonly malformed: string };

/** For metrics: how queries were answered since the start. */
export interface CacheCounters {
  readonly hits: number;
  readonly misses: number;
  /** Answers past their end, because the upstreams failed. */
  readonly stale: number;
}

/** Told of every query at once: what it does comes on top of each answer's time. */
export interface QueryObserver {
  /** Answered from the cache without anything to wait for. */
  cached(response: Uint8Array): void;
  resolved(resolution: Resolution, elapsedMs: number): void;
  malformed(): void;
}

/** A query in, a response out, both as octets: what HTTP, UDP and TCP carry. */
export interface Exchange {
  readonly counters: CacheCounters;
  /** At once if the answer is known. `deadline` starts the clock of the whole query, if there is anything to wait for. */
  answer(query: Uint8Array, view: View, deadline: () => AbortSignal): Exchanged | Promise<Exchanged>;
}

/** Enough of a digest that no two views share it. */
const SCOPE_LENGTH = 16;

const scopes = new WeakMap<View, string>();

/** What tells the answers for one view from those for another. */
export function scopeOf(view: View): string {
  const known = scopes.get(view);
  if (known !== undefined) return known;
  const { namespace, searchDomains, clusterDomain, families, vips, forwardUnknown } = view;
  const fields = [namespace, searchDomains, clusterDomain, families, vips, forwardUnknown];
  const scope = hash('sha256', JSON.stringify(fields), 'base64url').slice(0, SCOPE_LENGTH);
  scopes.set(view, scope);
  return scope;
}

/**
 * Queries that wait for the registry or an upstream at the same time, each for a second or two and some kilobytes. What
 * comes on top is told to come back: a flood of new names must not cost all the memory, nor the cached answers of others.
 */
const MOST_UNDER_WAY = 10_000;
const OVERLOADED = { code: EdeCode.notReady, text: 'too many queries are under way' };

const overloaded = (query: DnsQuery): Resolution => ({
  wire: encodeResponse(query, { rcode: Rcode.servFail, ede: OVERLOADED }),
  source: 'error',
  maxAge: undefined,
});

/** The cache, if there is one, before the decoder and the resolver. */
export function createExchange(resolver: Resolver, cache: AnswerCache | undefined, observer?: QueryObserver): Exchange {
  const counters = { hits: 0, misses: 0, stale: 0 };
  let underWay = 0;

  function resolve(query: DnsQuery, view: View, scope: string, signal: AbortSignal): Promise<Resolution> {
    const started = performance.now();
    const generation = cache?.generation ?? 0;
    const resolving = resolver.resolve(query, view, signal);
    underWay++;
    return resolving.then(
      (resolution) => {
        underWay--;
        keep(resolution, query, scope, generation);
        observer?.resolved(resolution, performance.now() - started);
        return resolution;
      },
      (error: unknown) => {
        underWay--;
        throw error;
      },
    );
  }

  function keep({ source, wire, maxAge }: Resolution, query: DnsQuery, scope: string, generation: number): void {
    if (source === 'cache') counters.hits++;
    else if (source === 'stale') counters.stale++;
    else counters.misses++;
    if (source === 'registry' || source === 'special') {
      if (maxAge !== undefined) cache?.keepOwned(query.wire, scope, wire, maxAge, generation);
    } else if (source !== 'error') cache?.keepForwarding(query.wire, scope, generation);
  }

  return {
    counters,
    answer(wire, view, deadline) {
      const scope = scopeOf(view);
      const cached = cache?.find(wire, scope);
      if (cached !== undefined) {
        counters.hits++;
        observer?.cached(cached.wire);
        return { wire: cached.wire, source: 'cache', maxAge: cached.maxAge };
      }
      const decoded = decodeQuery(wire);
      if (decoded.ok) {
        if (underWay >= MOST_UNDER_WAY) return overloaded(decoded.query);
        return resolve(decoded.query, view, scope, deadline());
      }
      observer?.malformed();
      return { malformed: decoded.reason };
    },
  };
}
