import type { AnswerCache } from '../cache/answer-cache.ts';
import { EdeCode, Rcode } from '../dns/constants.ts';
import type { DnsQuery } from '../dns/query.ts';
import { relayedRecords, relayResponse } from '../dns/relayed-response.ts';
import { encodeResponse } from '../dns/response.ts';
import { cacheSeconds, isDenial, MAX_DENIAL_SECONDS, rcodeOf, recordsOf } from '../dns/walk.ts';
import type { Forwarded, Forwarder, UpstreamFailure } from '../forward/forwarder.ts';
import type { Resolution } from './resolver.ts';

export interface ForwardPorts {
  readonly forwarder: Forwarder;
  /** Without it every question is put to the upstreams. */
  readonly cache?: Pick<AnswerCache, 'forwarded' | 'stale' | 'keepForwarded'> | undefined;
}

type Failed = Extract<Forwarded, { ok: false }>;

/** What upstreams say: now, a while ago, or, when none of them does, before that; else that they failed. */
export function forwardedAnswer(
  query: DnsQuery,
  { forwarder, cache }: ForwardPorts,
  signal: AbortSignal,
): Promise<Resolution> {
  const cached = cache?.forwarded(query.wire);
  if (cached === undefined) {
    return forwarder.forward(query, signal).then((forwarded) => concluded(query, forwarded, cache));
  }
  return Promise.resolve(cached.stale ? staleResolution(query, cached.wire) : { ...cached, source: 'cache' });
}

function concluded(query: DnsQuery, forwarded: Forwarded, cache: ForwardPorts['cache']): Resolution {
  if (forwarded.ok) {
    const { wire, maxAge } = keptForwarded(query, forwarded, cache);
    return { wire, source: 'forwarded', maxAge, upstream: forwarded.upstream };
  }
  const stale = cache?.stale(query.wire);
  if (stale) return staleResolution(query, stale.wire);
  const wire = failedForward(query, forwarded);
  if (forwarded.failures.length > 0) cache?.keepForwarded(query.wire, wire);
  return { wire, source: 'error', maxAge: undefined };
}

/**
 * What is said of an upstream's answer, which the cache has from now on. One whose TTLs are limited is for the time being,
 * and never served stale.
 */
export function keptForwarded(
  query: DnsQuery,
  forwarded: Extract<Forwarded, { ok: true }>,
  cache: Pick<AnswerCache, 'keepForwarded'> | undefined,
): { readonly wire: Buffer; readonly maxAge: number | undefined } {
  const { age, records: theirs = recordsOf(forwarded.wire) ?? [] } = forwarded;
  const most = forwarded.maxTtl ?? MAX_DENIAL_SECONDS;
  const maxTtl = isDenial(forwarded.wire, theirs) ? Math.min(MAX_DENIAL_SECONDS, most) : forwarded.maxTtl;
  const wire = relayResponse(query, forwarded.wire, { age, maxTtl, records: theirs });
  // Taken apart once: the relayed octets are where they were, and say the same, unless their TTLs are others.
  const records = age > 0 || maxTtl !== undefined ? recordsOf(wire) : relayedRecords(theirs);
  const maxAge = cacheSeconds(wire, records);
  cache?.keepForwarded(query.wire, wire, { records, seconds: maxAge, servesStale: forwarded.maxTtl === undefined });
  return { wire, maxAge };
}

/** RFC 8914 sections 4.4 and 4.20. */
function staleResolution(query: DnsQuery, response: Buffer): Resolution {
  const code = rcodeOf(response) === Rcode.nxDomain ? EdeCode.staleNxdomainAnswer : EdeCode.staleAnswer;
  const ede = { code, text: 'the upstreams failed; this is what they said before' };
  const wire = relayResponse(query, response, { ede });
  return { wire, source: 'stale', maxAge: cacheSeconds(wire) };
}

/**
 * All upstreams failed: the last one's own SERVFAIL tells more than one of ours. A REFUSED is not handed on: from us it
 * would mean that this view may not ask, and stub resolvers take it as final.
 */
function failedForward(query: DnsQuery, { failures }: Failed): Buffer {
  const own = failures.findLast(({ wire }) => wire !== undefined && rcodeOf(wire) === Rcode.servFail)?.wire;
  if (own) return relayResponse(query, own);
  const code = failures.every(wasNotServed) ? EdeCode.noReachableAuthority : EdeCode.networkError;
  const met = failures.map(({ kind, message }) => (kind === 'rcode' ? message : kind));
  const text = met.length === 0 ? 'no upstream is configured' : `upstreams failed: ${met.join(', ')}`;
  return encodeResponse(query, { rcode: Rcode.servFail, ede: { code, text } });
}

/** RFC 8914 section 4.23: not reached, or refused. */
const wasNotServed = ({ kind }: UpstreamFailure): boolean =>
  kind === 'timeout' || kind === 'transport' || kind === 'rcode';
