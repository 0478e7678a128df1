import { RRType } from '../dns/constants.ts';
import { type DomainName, parseName } from '../dns/name.ts';
import type { ResourceRecord } from '../dns/record.ts';
import type { HostAnswer } from '../table/host.ts';
import type { Candidate } from './candidates.ts';
import type { Decision } from './decision.ts';

/** Seconds. */
export interface TtlSettings {
  readonly vip: number;
  readonly owned: number;
  readonly negative: number;
}

export interface Match {
  readonly candidate: Candidate;
  readonly answer: HostAnswer;
}

/** A stale answer must be asked again soon (RFC 8767 section 5.11). */
export const STALE_TTL = 30;

/** The best candidate that the view owns: as asked before searched, exact before wildcard, longest suffix first. */
export function bestMatch(candidates: readonly Candidate[], hosts: ReadonlyMap<string, HostAnswer>): Match | undefined {
  for (const candidate of candidates) {
    for (const host of candidate.hosts) {
      const answer = hosts.get(host);
      if (answer?.owned) return { candidate, answer };
    }
  }
  return undefined;
}

/** The registered host, or a wildcard's parent: the SOA of a negative answer stands there. */
function zoneOf({ answer, candidate }: Match): DomainName {
  return parseName(answer.host.startsWith('*.') ? answer.host.slice(2) : answer.host) ?? candidate.name;
}

const isIpv6 = (address: string): boolean => address.includes(':');

/** Round robin without state: every rotation is equally likely. */
function rotated<T>(values: readonly T[], random: () => number): T[] {
  const start = Math.floor(random() * values.length);
  return [...values.slice(start), ...values.slice(0, start)];
}

function serviceRecords({ candidate, answer }: Match, qtype: number, owner: DomainName, ttl: number): ResourceRecord[] {
  const [portName, protocol, ...more] = candidate.service;
  if (qtype !== RRType.SRV || more.length > 0) return [];
  return answer.ports
    .filter(
      (port) => `_${port.name.toLowerCase()}` === portName && protocol === (port.protocol === 'UDP' ? '_udp' : '_tcp'),
    )
    .map((port) => ({ type: 'SRV', owner, ttl, priority: 0, weight: 100, port: port.number, target: candidate.name }));
}

function hostRecords(
  { answer }: Match,
  qtype: number,
  owner: DomainName,
  ttl: number,
  random: () => number,
): ResourceRecord[] {
  switch (qtype) {
    case RRType.A:
    case RRType.AAAA: {
      const wanted = answer.addresses.filter((address) => isIpv6(address) === (qtype === RRType.AAAA));
      const type = qtype === RRType.A ? 'A' : 'AAAA';
      return rotated(wanted, random).map((address) => ({ type, owner, ttl, address }));
    }
    case RRType.ANY:
      return [{ type: 'HINFO', owner, ttl, cpu: 'RFC8482', os: '' }];
    default:
      return [];
  }
}

/** Every type of a name that is ours is answered here: with its records, or with NODATA. */
export function ownedDecision(
  match: Match,
  question: { readonly qname: DomainName; readonly qtype: number },
  ttls: TtlSettings,
  stale: boolean,
  random: () => number,
): Decision {
  const { candidate, answer } = match;
  const { qname, qtype } = question;
  const fresh = answer.ttl ?? (answer.vip ? ttls.vip : ttls.owned);
  const ttl = stale ? Math.min(fresh, STALE_TTL) : fresh;
  const service = candidate.service.join('.');
  const target = service === '' ? candidate.name : (parseName(`${service}.${candidate.name}`) ?? candidate.name);
  const owner = candidate.searched ? target : qname;
  const own = service === '' ? hostRecords(match, qtype, owner, ttl, random) : serviceRecords(match, qtype, owner, ttl);
  const alias: ResourceRecord | undefined = candidate.searched
    ? { type: 'CNAME', owner: qname, ttl, target }
    : undefined;
  if (own.length > 0 || (alias && qtype === RRType.CNAME)) {
    return { kind: 'answer', by: 'registry', records: alias ? [alias, ...own] : own, stale };
  }
  return { kind: 'noData', by: 'registry', zone: zoneOf(match), stale, ...(alias && { alias }) };
}
