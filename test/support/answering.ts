import { AnswerCache } from '../../src/cache/answer-cache.ts';
import { Rcode, rcodeName } from '../../src/dns/constants.ts';
import type { DnsQuery } from '../../src/dns/query.ts';
import type { ResponseContent } from '../../src/dns/response.ts';
import { rcodeOf } from '../../src/dns/walk.ts';
import type { Forwarded, Forwarder } from '../../src/forward/forwarder.ts';
import type { RegistryReader } from '../../src/registry/reader.ts';
import { createExchange, type Exchange } from '../../src/resolve/exchange.ts';
import { createResolver } from '../../src/resolve/resolver.ts';
import type { HostClaim } from '../../src/serviceentry/claim.ts';
import type { HostRecord, VipAddresses } from '../../src/table/host.ts';
import type { View } from '../../src/table/view.ts';
import { visibleHost } from '../../src/table/visible.ts';
import { name, responseWire } from './dns.ts';
import { DEFAULT_VIEW } from './registry.ts';

/** What an upstream does with a query: a response, or a failure of all upstreams. */
export type Upstream = (query: DnsQuery) => Partial<ResponseContent> | Buffer | 'timeout';

export interface Answering {
  readonly exchange: Exchange;
  /** Milliseconds. */
  readonly clock: { now: number };
  /** Registered hosts, by name; changing them is a commit by another process. */
  readonly hosts: Map<string, HostRecord>;
  /** What was put to the upstreams. */
  readonly forwarded: DnsQuery[];
  /** Reads of the registry. */
  readonly reads: { count: number; available: boolean };
  upstream: Upstream;
  /** Answers at the cost of a call, as octets. */
  ask(wire: Uint8Array, view?: Partial<View>): Promise<Buffer>;
}

export const DECISION_MAX_MS = 5_000;
export const STALE_MAX_MS = 3_600_000;
const PREFIXES = ['240.240.0.0/16', '2001:2::/48'];

export interface HostOptions extends Partial<HostClaim> {
  readonly vip?: VipAddresses;
}

/** A host in the namespace `default` with one claim: two addresses unless it has others, or a VIP. */
export function hostRecord(host: string, { vip, ...claim }: HostOptions = {}): HostRecord {
  const namespace = claim.namespace ?? 'default';
  const whole: HostClaim = {
    host,
    namespace,
    entry: host,
    createdAt: '2026-11-01T00:00:00Z',
    exportTo: ['*'],
    resolution: vip ? 'DNS' : 'STATIC',
    addresses: vip ? [] : ['192.0.2.1', '192.0.2.2'],
    cidrs: [],
    endpoints: [],
    ports: [{ name: 'http', number: 80, protocol: 'HTTP' }],
    wantsVip: vip !== undefined,
    ...claim,
  };
  return { host, namespaces: [{ namespace, claims: [whole], ...(vip ? { vip } : {}) }] };
}

function readerOf(hosts: ReadonlyMap<string, HostRecord>, reads: Answering['reads']): RegistryReader {
  const seen = (host: string, view: View) => {
    const record = hosts.get(host);
    return record && visibleHost(record, view);
  };
  return {
    async find(request, view) {
      reads.count++;
      if (!reads.available) return { state: 'unavailable' };
      const found = request.hosts.flatMap((host) => seen(host, view) ?? []);
      const existsBelow = [...hosts.keys()].some((host) => host.endsWith(`.${request.below}`) && seen(host, view));
      return { state: 'known', stale: false, hosts: new Map(found.map((one) => [one.host, one])), existsBelow };
    },
    vipPrefixes: async () => ({ state: 'known', prefixes: PREFIXES }),
    async holderOf(address, view) {
      const holder = [...hosts.keys()].find((host) => seen(host, view)?.addresses.includes(address));
      return holder === undefined ? { state: 'free', stale: false } : { state: 'held', host: holder, stale: false };
    },
  };
}

/** The whole way of a query: a registry in memory, scripted upstreams, a clock that tests move; 0 `cacheBytes`: no cache. */
export function createAnswering(hosts: readonly HostRecord[] = [], cacheBytes = 1_000_000): Answering {
  const clock = { now: Date.parse('2026-11-01T00:00:00Z') };
  const forwarded: DnsQuery[] = [];
  const reads = { count: 0, available: true };
  const registry = new Map(hosts.map((record) => [record.host, record]));
  const forwarder: Forwarder = {
    async forward(query): Promise<Forwarded> {
      forwarded.push(query);
      const said = answering.upstream(query);
      const upstream = 'https://upstream.example';
      if (said === 'timeout') return { ok: false, failures: [{ upstream, kind: 'timeout', message: 'no answer' }] };
      const wire = Buffer.isBuffer(said) ? said : responseWire(query, said);
      const rcode = rcodeOf(wire);
      if (rcode !== Rcode.servFail && rcode !== Rcode.refused) return { ok: true, wire, upstream, age: 0 };
      return { ok: false, failures: [{ upstream, kind: 'rcode', message: rcodeName(rcode), wire }] };
    },
    upstreamsFor: () => [],
    hasRouteFor: () => false,
    close: () => Promise.resolve(),
  };
  const bounds = { maxBytes: cacheBytes, decisionMaxMs: DECISION_MAX_MS, staleMaxMs: STALE_MAX_MS };
  const cache = cacheBytes === 0 ? undefined : new AnswerCache({ ...bounds, now: () => clock.now });
  const settings = {
    ttl: { vip: 300, owned: 30, negative: 30 },
    privateZones: [name('cluster.local'), name('internal')],
  };
  const resolver = createResolver(settings, { reader: readerOf(registry, reads), forwarder, cache, random: () => 0 });
  const exchange = createExchange(resolver, cache);
  const answering: Answering = {
    exchange,
    clock,
    hosts: registry,
    forwarded,
    reads,
    upstream: (query) => ({
      answers: [{ type: 'A', owner: query.question?.qname ?? name('.'), ttl: 300, address: '198.51.100.7' }],
    }),
    async ask(wire, view = {}) {
      const whole = view === DEFAULT_VIEW ? DEFAULT_VIEW : { ...DEFAULT_VIEW, ...view };
      const exchanged = await exchange.answer(wire, whole, () => AbortSignal.timeout(5_000));
      if ('malformed' in exchanged) throw new Error(exchanged.malformed);
      return exchanged.wire;
    },
  };
  return answering;
}
