import { rcodeName, typeName } from '../dns/constants.ts';
import { decodeMessage } from '../dns/message.ts';
import type { DomainName } from '../dns/name.ts';
import { type DnsQuery, decodeQuery, encodeQuery, type Question } from '../dns/query.ts';
import type { ResourceRecord } from '../dns/record.ts';
import { encodeResponse } from '../dns/response.ts';
import type { Forwarder } from '../forward/forwarder.ts';
import type { RegistryInspector } from '../registry/inspector.ts';
import type { PoolReader, VipReport } from '../registry/operations.ts';
import type { RegistryReader } from '../registry/reader.ts';
import type { View } from '../table/view.ts';
import { byAge, isExportedTo, visibleHost } from '../table/visible.ts';
import { candidatesOf } from './candidates.ts';
import { type DecideSettings, decide } from './decide.ts';
import type { Decision } from './decision.ts';
import { type ExplainedHost, explainHost } from './explain-host.ts';
import { bestMatch, type Match } from './owned.ts';
import { isReverseName, placeInReverseZone } from './reverse-zones.ts';
import { specialDecision } from './special-names.ts';

/** The part of the resolution order that decides, in its order. */
export type Step =
  | 'query'
  | 'special'
  | 'reverse'
  | 'exact'
  | 'wildcard'
  | 'search'
  | 'privateZone'
  | 'forward'
  | 'refused'
  | 'unavailable';

/** Seconds, and what set them. */
export interface ExplainedTtl {
  readonly seconds: number;
  readonly from: string;
}

export interface Explanation {
  readonly name: DomainName;
  readonly type: string;
  readonly view: View;
  readonly step: Step;
  readonly kind: Decision['kind'];
  /** As a zone file writes them. */
  readonly records: readonly string[];
  readonly rcode?: string;
  /** Where the SOA of a negative answer stands. */
  readonly zone?: string;
  readonly ttl?: ExplainedTtl;
  /** The host that answers for the name. */
  readonly match?: { readonly host: string; readonly namespace: string; readonly searched: boolean };
  /** What a VIP that answers, or is asked about, is and was. */
  readonly vip?: VipReport;
  /** Every registered host that matches, the best first. */
  readonly hosts: readonly ExplainedHost[];
  /** Whether the suffix set says that the name could be registered; if not, no query for it costs a read of a host. */
  readonly mayBeRegistered: boolean;
  /** Whether an upstream rule names the name or a suffix of it. */
  readonly hasRoute: boolean;
  /** What is asked for a name that is forwarded, in order. */
  readonly upstreams: readonly string[];
}

export interface ExplainPorts {
  readonly reader: RegistryReader;
  readonly inspector: RegistryInspector;
  readonly pools: Pick<PoolReader, 'vip' | 'vipOfHost'>;
  readonly forwarder: Pick<Forwarder, 'hasRouteFor' | 'upstreamsFor'>;
}

function queryOf({ qname, qtype }: Pick<Question, 'qname' | 'qtype'>): DnsQuery {
  const decoded = decodeQuery(encodeQuery({ qname, qtype }));
  if (!decoded.ok) throw new Error(`a query for ${qname} cannot be read: ${decoded.reason}`);
  return decoded.query;
}

function recordTexts(query: DnsQuery, answers: readonly ResourceRecord[]): string[] {
  const message = decodeMessage(encodeResponse(query, { rcode: 0, answers }));
  return (message?.answers ?? []).map(({ owner, ttl, type, data }) => `${owner} ${ttl} IN ${typeName(type)} ${data}`);
}

function stepOf(decision: Decision, question: Pick<Question, 'qname'>, match: Match | undefined): Step {
  switch (decision.kind) {
    case 'error':
      return 'query';
    case 'forward':
    case 'refused':
    case 'unavailable':
      return decision.kind;
    default:
      if (decision.by === 'privateZone') return 'privateZone';
      if (decision.by === 'registry' && match) return ownedStep(match);
      return isReverseName(question.qname) ? 'reverse' : 'special';
  }
}

function ownedStep({ candidate, answer }: Match): Step {
  if (candidate.searched) return 'search';
  return answer.host.startsWith('*') ? 'wildcard' : 'exact';
}

/** What of a decision is the same for all: its records, its code, its zone. */
function outcomeOf(query: DnsQuery, decision: Decision): Pick<Explanation, 'kind' | 'records' | 'rcode' | 'zone'> {
  const { kind } = decision;
  switch (decision.kind) {
    case 'answer':
      return { kind, records: recordTexts(query, decision.records) };
    case 'noData':
    case 'nxDomain':
      return { kind, records: decision.alias ? recordTexts(query, [decision.alias]) : [], zone: decision.zone };
    case 'error':
      return { kind, records: [], rcode: rcodeName(decision.rcode) };
    default:
      return { kind, records: [] };
  }
}

type Hosts = Awaited<ReturnType<RegistryInspector['inspect']>>;

function ttlOf(decision: Decision, match: Match | undefined, hosts: Hosts, view: View, { ttl }: DecideSettings) {
  if (decision.kind === 'noData' || decision.kind === 'nxDomain') {
    return { ttl: { seconds: ttl.negative, from: 'setting ttl.negative' } };
  }
  if (decision.kind !== 'answer' || decision.by === 'special') return {};
  if (!match) return { ttl: { seconds: ttl.vip, from: 'setting ttl.vip' } };
  return { ttl: ownedTtl(match, hosts, view, ttl) };
}

function ownedTtl({ answer }: Match, hosts: Hosts, view: View, ttl: DecideSettings['ttl']): ExplainedTtl {
  if (answer.ttl === undefined) {
    const kind = answer.vip ? 'vip' : 'owned';
    return { seconds: ttl[kind], from: `setting ttl.${kind}` };
  }
  const namespaces = hosts.get(answer.host)?.record?.namespaces ?? [];
  const claims = namespaces.find(({ namespace }) => namespace === answer.namespace)?.claims ?? [];
  const claim = claims.filter((one) => one.ttl !== undefined && isExportedTo(one, view.namespace)).sort(byAge)[0];
  return { seconds: answer.ttl, from: `annotation meshdoh.dev/ttl of ${answer.namespace}/${claim?.entry}` };
}

/** The VIP that the answer is, or, in a reverse zone, the one that the name stands for. */
async function vipOf(
  qname: DomainName,
  match: Match | undefined,
  { reader, pools }: ExplainPorts,
  signal: AbortSignal,
): Promise<{ vip?: VipReport }> {
  if (match) {
    const vip = match.answer.vip && (await pools.vipOfHost(match.answer.namespace, match.answer.host, signal));
    return vip ? { vip } : {};
  }
  const known = isReverseName(qname) ? await reader.vipPrefixes(signal) : { state: 'unavailable' as const };
  if (known.state === 'unavailable') return {};
  const places = known.prefixes.flatMap((prefix) => placeInReverseZone(qname, prefix) ?? []);
  const address = places.find((place) => place.kind === 'address')?.address;
  const vip = address === undefined ? undefined : await pools.vip(address, signal);
  return vip ? { vip } : {};
}

/** Who wins the name among what is registered, were it not decided before. */
function matchOf(question: Pick<Question, 'qname'>, view: View, hosts: Hosts): Match | undefined {
  const answers = [...hosts.values()].flatMap(({ record }) => (record && visibleHost(record, view)) ?? []);
  const candidates = candidatesOf(question.qname, view.searchDomains);
  return bestMatch(candidates, new Map(answers.map((answer) => [answer.host, answer])));
}

/**
 * What a view gets for a question, and why: decided by the resolver's own `decide`, with everything that it has seen,
 * and what the view may not see. For administrators only.
 *
 * @throws RegistryUnavailableError when the registry cannot be read.
 */
export async function explain(
  question: Pick<Question, 'qname' | 'qtype'>,
  view: View,
  settings: DecideSettings,
  ports: ExplainPorts,
  signal: AbortSignal,
): Promise<Explanation> {
  const { qname, qtype } = question;
  const { reader, inspector, forwarder } = ports;
  const query = queryOf(question);
  const names = candidatesOf(qname, view.searchDomains).flatMap((candidate) => candidate.hosts);
  const hosts = await inspector.inspect([...new Set(names)], view.namespace, signal);
  const hasRouteFor = (name: DomainName) => forwarder.hasRouteFor(name);
  const decision = await decide(query, view, settings, { reader, hasRouteFor, random: () => 0 }, signal);
  const isSpecial = query.question !== undefined && specialDecision(query.question) !== undefined;
  const match = isSpecial ? undefined : matchOf(question, view, hosts);
  const matched = match?.answer.host;
  return {
    name: qname,
    type: typeName(qtype),
    view,
    step: stepOf(decision, question, match),
    ...outcomeOf(query, decision),
    ...ttlOf(decision, match, hosts, view, settings),
    ...(match
      ? { match: { host: match.answer.host, namespace: match.answer.namespace, searched: match.candidate.searched } }
      : {}),
    ...(await vipOf(qname, match, ports, signal)),
    hosts: [...hosts.values()].flatMap(({ record, mayBeRegistered }) =>
      record ? [explainHost(record, mayBeRegistered, view, matched)] : [],
    ),
    mayBeRegistered: [...hosts.values()].some((host) => host.mayBeRegistered),
    hasRoute: hasRouteFor(qname),
    upstreams: decision.kind === 'forward' ? forwarder.upstreamsFor(qname) : [],
  };
}
