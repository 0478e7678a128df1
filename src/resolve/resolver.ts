import { EdeCode, Rcode } from '../dns/constants.ts';
import type { DomainName } from '../dns/name.ts';
import type { DnsQuery } from '../dns/query.ts';
import type { ResourceRecord } from '../dns/record.ts';
import { encodeResponse, type ResponseContent } from '../dns/response.ts';
import { cacheSeconds } from '../dns/walk.ts';
import type { RegistryReader } from '../registry/reader.ts';
import type { View } from '../table/view.ts';
import { type DecideSettings, decide } from './decide.ts';
import type { Decision } from './decision.ts';
import { type ForwardPorts, forwardedAnswer } from './forwarded.ts';
import { STALE_TTL } from './owned.ts';

/** Where an answer came from, as metrics and traces name it. */
export type AnswerSource = 'registry' | 'special' | 'forwarded' | 'cache' | 'stale' | 'error';

export interface Resolution {
  /** The complete response message. */
  readonly wire: Buffer;
  readonly source: AnswerSource;
  /** Seconds that HTTP may keep it (RFC 8484 section 5.1); undefined: not at all. */
  readonly maxAge: number | undefined;
  /** With source `forwarded`: who was asked. */
  readonly upstream?: string;
}

export interface Resolver {
  /** Always an answer, also to a query that deserves an error; `signal` is the deadline of the whole query. */
  resolve(query: DnsQuery, view: View, signal: AbortSignal): Promise<Resolution>;
}

export interface ResolverPorts extends ForwardPorts {
  readonly reader: RegistryReader;
  readonly random?: () => number;
}

const NOBODY = 'nobody.invalid' as DomainName;

/** The SOA of a negative answer says how long the absence may be believed (RFC 2308 section 3). */
function negativeSoa(zone: DomainName, ttl: number): ResourceRecord {
  return {
    type: 'SOA',
    owner: zone,
    ttl,
    mname: zone,
    rname: NOBODY,
    serial: 1,
    refresh: 3600,
    retry: 600,
    expire: 86_400,
    minimum: ttl,
  };
}

const STALE = { code: EdeCode.staleAnswer, text: 'the registry cannot be read; this is its last known state' };

/** The message content of a decision that is made here, without asking anybody. */
function contentOf(decision: Exclude<Decision, { kind: 'forward' }>, negativeTtl: number): ResponseContent {
  switch (decision.kind) {
    case 'answer':
      return { rcode: Rcode.noError, aa: true, answers: decision.records, ...(decision.stale ? { ede: STALE } : {}) };
    case 'noData':
    case 'nxDomain': {
      const ttl = decision.stale ? Math.min(negativeTtl, STALE_TTL) : negativeTtl;
      return {
        rcode: decision.kind === 'noData' ? Rcode.noError : Rcode.nxDomain,
        aa: true,
        ...(decision.alias ? { answers: [decision.alias] } : {}),
        authorities: [negativeSoa(decision.zone, ttl)],
        ...(decision.stale ? { ede: STALE } : {}),
      };
    }
    case 'refused':
      return {
        rcode: Rcode.refused,
        ede: { code: EdeCode.prohibited, text: 'this view answers registered names only' },
      };
    case 'unavailable':
      return { rcode: Rcode.servFail, ede: { code: EdeCode.notReady, text: 'the registry cannot be read' } };
    case 'error':
      return { rcode: decision.rcode };
  }
}

const sourceOf = (decision: Exclude<Decision, { kind: 'forward' }>): AnswerSource => {
  if (decision.kind === 'error' || decision.kind === 'refused' || decision.kind === 'unavailable') return 'error';
  return decision.by === 'special' ? 'special' : 'registry';
};

/** Decides, and then says it: the answer's octets, or the upstream's own. */
export function createResolver(settings: DecideSettings, ports: ResolverPorts): Resolver {
  const { reader, forwarder, cache, random = Math.random } = ports;
  const decidePorts = { reader, random, hasRouteFor: (name: DomainName) => forwarder.hasRouteFor(name) };

  return {
    async resolve(query, view, signal) {
      const decision = await decide(query, view, settings, decidePorts, signal);
      if (decision.kind === 'forward') return forwardedAnswer(query, { forwarder, cache }, signal);
      const wire = encodeResponse(query, contentOf(decision, settings.ttl.negative));
      return { wire, source: sourceOf(decision), maxAge: cacheSeconds(wire) };
    },
  };
}
