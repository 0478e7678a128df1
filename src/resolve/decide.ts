import { Opcode, Rcode, RRClass, RRType } from '../dns/constants.ts';
import { type DomainName, isAtOrBelow, labelsOf, parseName } from '../dns/name.ts';
import type { DnsQuery, Question } from '../dns/query.ts';
import type { Found, Holder, RegistryReader } from '../registry/reader.ts';
import type { View } from '../table/view.ts';
import { candidatesOf } from './candidates.ts';
import { type Decision, specialDenial } from './decision.ts';
import { bestMatch, ownedDecision, STALE_TTL, type TtlSettings } from './owned.ts';
import { isReverseName, placeInReverseZone } from './reverse-zones.ts';
import { specialDecision } from './special-names.ts';

export interface DecideSettings {
  readonly ttl: TtlSettings;
  /** Names below these are ours, registered or not. */
  readonly privateZones: readonly DomainName[];
}

export interface DecidePorts {
  readonly reader: RegistryReader;
  /** Whether an upstream rule names this zone or one above it, so that it is forwarded although it is private. */
  readonly hasRouteFor: (name: DomainName) => boolean;
  readonly random?: () => number;
}

/** An error that the query earns by itself (RFC 1035 section 4.1.1, RFC 6891 section 6.1.3), or its one question. */
export function checkQuery(query: DnsQuery): { readonly question: Question } | { readonly rcode: number } {
  const { question } = query;
  if (query.opcode !== Opcode.query) return { rcode: Rcode.notImp };
  if (!question || query.optCount > 1) return { rcode: Rcode.formErr };
  if (query.edns && query.edns.version > 0) return { rcode: Rcode.badVers };
  const transfer = question.qtype === RRType.AXFR || question.qtype === RRType.IXFR;
  if (question.qclass !== RRClass.IN || transfer) return { rcode: Rcode.refused };
  return { question };
}

/** The longest private zone that the name is in. */
const privateZoneOf = (qname: DomainName, zones: readonly DomainName[]): DomainName | undefined =>
  zones.filter((zone) => isAtOrBelow(qname, zone)).sort((a, b) => labelsOf(b).length - labelsOf(a).length)[0];

/**
 * Whose name it is and what to say of it. The order is the product's:
 *  1. a query that cannot be answered gets its error;
 *  2. special names, and the reverse zones of the VIP prefixes, are never forwarded;
 *  3. a name owned for this view is answered for every type;
 *  4. a name in a private zone exists only if registered;
 *  5. anything else is forwarded, or refused if the view does not forward.
 */
export async function decide(
  query: DnsQuery,
  view: View,
  settings: DecideSettings,
  ports: DecidePorts,
  signal: AbortSignal,
): Promise<Decision> {
  const checked = checkQuery(query);
  if ('rcode' in checked) return { kind: 'error', rcode: checked.rcode };
  const { question } = checked;
  return (
    specialDecision(question) ??
    (await reverseDecision(question, view, settings, ports.reader, signal)) ??
    registryDecision(question, view, settings, ports, signal)
  );
}

async function reverseDecision(
  question: Question,
  view: View,
  settings: DecideSettings,
  reader: RegistryReader,
  signal: AbortSignal,
): Promise<Decision | undefined> {
  if (!isReverseName(question.qname)) return undefined;
  const known = await reader.vipPrefixes(signal);
  if (known.state === 'unavailable') return { kind: 'unavailable' };
  for (const prefix of known.prefixes) {
    const place = placeInReverseZone(question.qname, prefix);
    if (!place) continue;
    const { zone } = place;
    if (place.kind === 'above') return specialDenial('noData', zone);
    if (place.kind === 'nothing') return specialDenial('nxDomain', zone);
    const holder = await reader.holderOf(place.address, view, signal);
    return pointerDecision(question, zone, holder, settings.ttl.vip);
  }
  return undefined;
}

function pointerDecision({ qname, qtype }: Question, zone: DomainName, holder: Holder, vipTtl: number): Decision {
  if (holder.state === 'unavailable') return { kind: 'unavailable' };
  const { stale } = holder;
  const target = holder.state === 'held' ? parseName(holder.host) : undefined;
  if (!target) return specialDenial('nxDomain', zone, stale);
  if (qtype !== RRType.PTR) return specialDenial('noData', zone, stale);
  const ttl = stale ? Math.min(vipTtl, STALE_TTL) : vipTtl;
  return { kind: 'answer', by: 'registry', records: [{ type: 'PTR', owner: qname, ttl, target }], stale };
}

async function registryDecision(
  question: Question,
  view: View,
  settings: DecideSettings,
  ports: DecidePorts,
  signal: AbortSignal,
): Promise<Decision> {
  const { qname } = question;
  const zone = ports.hasRouteFor(qname) ? undefined : privateZoneOf(qname, settings.privateZones);
  const candidates = candidatesOf(qname, view.searchDomains);
  const hosts = [...new Set(candidates.flatMap((candidate) => candidate.hosts))];
  const found = await ports.reader.find({ hosts, ...(zone === undefined ? {} : { below: qname }) }, view, signal);
  if (found.state === 'unavailable') return { kind: 'unavailable' };
  const match = bestMatch(candidates, found.hosts);
  if (match) return ownedDecision(match, question, settings.ttl, found.stale, ports.random ?? Math.random);
  if (zone !== undefined) return privateDecision(qname, zone, hosts, found);
  return view.forwardUnknown ? { kind: 'forward' } : { kind: 'refused' };
}

/** In a private zone a name exists if it is the zone, if names exist below it, or if it is registered without an answer. */
function privateDecision(
  qname: DomainName,
  zone: DomainName,
  hosts: readonly string[],
  found: Extract<Found, { state: 'known' }>,
): Decision {
  const exists = qname === zone || found.existsBelow || hosts.some((host) => found.hosts.has(host));
  return { kind: exists ? 'noData' : 'nxDomain', by: 'privateZone', zone, stale: found.stale };
}
