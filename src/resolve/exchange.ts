import { hash } from 'node:crypto';
import type { AnswerCache } from '../cache/answer-cache.ts';
import { type DnsQuery, decodeQuery } from '../dns/query.ts';
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
function scopeOf(view: View): string {
  const known = scopes.get(view);
  if (known !== undefined) return known;
  const { namespace, searchDomains, clusterDomain, families, vips, forwardUnknown } = view;
  const fields = [namespace, searchDomains, clusterDomain, families, vips, forwardUnknown];
  const scope = hash('sha256', JSON.stringify(fields), 'base64url').slice(0, SCOPE_LENGTH);
  scopes.set(view, scope);
  return scope;
}

/** The cache, if there is one, before the decoder and the resolver. */
export function createExchange(resolver: Resolver, cache: AnswerCache | undefined): Exchange {
  const counters = { hits: 0, misses: 0, stale: 0 };

  async function resolve(query: DnsQuery, view: View, scope: string, signal: AbortSignal): Promise<Resolution> {
    const generation = cache?.generation ?? 0;
    const resolution = await resolver.resolve(query, view, signal);
    const { source, wire, maxAge } = resolution;
    if (source === 'cache') counters.hits++;
    else if (source === 'stale') counters.stale++;
    else counters.misses++;
    if (source === 'registry' || source === 'special') {
      if (maxAge !== undefined) cache?.keepOwned(query.wire, scope, wire, maxAge, generation);
    } else if (source !== 'error') cache?.keepForwarding(query.wire, scope, generation);
    return resolution;
  }

  return {
    counters,
    answer(wire, view, deadline) {
      const scope = scopeOf(view);
      const cached = cache?.find(wire, scope);
      if (cached !== undefined) {
        counters.hits++;
        return { wire: cached.wire, source: 'cache', maxAge: cached.maxAge };
      }
      const decoded = decodeQuery(wire);
      return decoded.ok ? resolve(decoded.query, view, scope, deadline()) : { malformed: decoded.reason };
    },
  };
}
