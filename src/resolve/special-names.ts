import { RRType } from '../dns/constants.ts';
import { type DomainName, isAtOrBelow } from '../dns/name.ts';
import type { Question } from '../dns/query.ts';
import type { ResourceRecord } from '../dns/record.ts';
import { type Decision, specialDenial } from './decision.ts';

const LOCALHOST = 'localhost' as DomainName;
const INVALID = 'invalid' as DomainName;
const RESOLVER_ARPA = 'resolver.arpa' as DomainName;

/** Loopback addresses are a constant of the host that asks: a day. */
const LOCALHOST_TTL = 86_400;

function loopback({ qname, qtype }: Question): ResourceRecord[] {
  const owned = { owner: qname, ttl: LOCALHOST_TTL };
  if (qtype === RRType.A) return [{ ...owned, type: 'A', address: '127.0.0.1' }];
  if (qtype === RRType.AAAA) return [{ ...owned, type: 'AAAA', address: '::1' }];
  return [];
}

/** Names that are never anybody's to register or to forward (RFC 6761 sections 6.3 and 6.4, RFC 9462 section 6.4). */
export function specialDecision(question: Question): Decision | undefined {
  const { qname } = question;
  if (isAtOrBelow(qname, LOCALHOST)) {
    const records = loopback(question);
    return records.length > 0
      ? { kind: 'answer', by: 'special', records, stale: false }
      : specialDenial('noData', LOCALHOST);
  }
  if (isAtOrBelow(qname, INVALID)) return specialDenial('nxDomain', INVALID);
  if (isAtOrBelow(qname, RESOLVER_ARPA)) return specialDenial('noData', RESOLVER_ARPA);
  return undefined;
}
