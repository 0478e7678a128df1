import { Rcode, RRType } from '../../dns/constants.ts';
import { ipText } from '../../dns/ip-address.ts';
import { parseName } from '../../dns/name.ts';
import { type DnsQuery, decodeQuery, encodeQuery, type Question } from '../../dns/query.ts';
import { addressIn, rcodeOf, recordsOf } from '../../dns/walk.ts';
import type { Forwarded } from '../../forward/forwarder.ts';
import type { LookUp } from './endpoint-names.ts';

/** Asks those who know names outside the mesh. */
export type AskOutside = (query: DnsQuery, question: Question, signal: AbortSignal) => Promise<Forwarded>;

const TIMEOUT_MS = 2_000;
/** In seconds, where no record says how long. */
const NO_RECORDS_TTL = 30;

interface Answer {
  readonly addresses: readonly string[];
  readonly ttl: number;
}

/** Looks both families up, as `getaddrinfo` would. */
export function lookUpWith(ask: AskOutside): LookUp {
  return async (name) => {
    const [ipv4, ipv6] = await Promise.all([lookUp(ask, name, RRType.A), lookUp(ask, name, RRType.AAAA)]);
    const ttls = [ipv4, ipv6].flatMap((answer) => (answer && answer.addresses.length > 0 ? [answer.ttl] : []));
    return {
      ipv4: ipv4?.addresses,
      ipv6: ipv6?.addresses,
      ttl: ttls.length === 0 ? NO_RECORDS_TTL : Math.min(...ttls),
    };
  };
}

async function lookUp(ask: AskOutside, name: string, qtype: number): Promise<Answer | undefined> {
  const qname = parseName(name);
  const decoded = qname && decodeQuery(encodeQuery({ qname, qtype, edns: { udpSize: 1232 } }));
  if (!decoded?.ok || decoded.query.question === undefined) return undefined;
  const forwarded = await ask(decoded.query, decoded.query.question, AbortSignal.timeout(TIMEOUT_MS));
  if (!forwarded.ok) return undefined;
  const { wire } = forwarded;
  const rcode = rcodeOf(wire);
  if (rcode !== Rcode.noError && rcode !== Rcode.nxDomain) return undefined;
  const answers = (recordsOf(wire) ?? []).filter(({ section }) => section === 'answer');
  const addresses = answers.flatMap((record) => (record.type === qtype ? (addressIn(wire, record) ?? []) : []));
  return {
    addresses: addresses.map(ipText),
    // An alias that is led elsewhere is how many services fail over.
    ttl: addresses.length === 0 ? NO_RECORDS_TTL : Math.min(...answers.map(({ ttl }) => ttl)),
  };
}
