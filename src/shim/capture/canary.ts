import { Rcode, RRClass, RRType } from '../../dns/constants.ts';
import { type DomainName, isAtOrBelow, parseName } from '../../dns/name.ts';
import { decodeQuery, encodeQuery } from '../../dns/query.ts';
import { encodeResponse } from '../../dns/response.ts';
import { recordsOf } from '../../dns/walk.ts';

/**
 * A zone that exists in a running shim and nowhere else: whoever gets its address for a name in it has asked a shim.
 * Below a private zone, so that what leads such names elsewhere shows.
 */
export const CANARY_ZONE = 'canary.meshdoh.internal' as DomainName;

/** What every name in it resolves to. */
export const CANARY_ADDRESS = '127.0.53.1';

/** A name that nobody can have cached. `nonce`: lower-case letters, digits and hyphens. */
export function canaryName(nonce: string): DomainName {
  const name = parseName(`${nonce}.${CANARY_ZONE}`);
  if (name === undefined) throw new RangeError(`not a label: ${nonce}`);
  return name;
}

/** The answer when it is a question about the canary; undefined otherwise. */
export function canaryAnswer(wire: Buffer): Buffer | undefined {
  if (!mentionsCanary(wire)) return undefined;
  const decoded = decodeQuery(wire);
  if (!decoded.ok) return undefined;
  const { question } = decoded.query;
  if (question?.qclass !== RRClass.IN || !isAtOrBelow(question.qname, CANARY_ZONE)) return undefined;
  const answers =
    question.qtype === RRType.A ? [{ owner: question.qname, ttl: 0, type: 'A' as const, address: CANARY_ADDRESS }] : [];
  return encodeResponse(decoded.query, { rcode: Rcode.noError, aa: true, answers });
}

const CANARY_LABEL = Buffer.from('\x06canary\x07meshdoh\x08internal\0', 'latin1');
/** Offset of its last octet within the shortest query. */
const HEADER_OCTETS = 12;

/** Cheap enough for every query. Case is folded as RFC 4343 does; octets of length cannot be letters. */
function mentionsCanary(wire: Buffer): boolean {
  const end = wire.indexOf(0, HEADER_OCTETS);
  const start = end + 1 - CANARY_LABEL.length;
  if (start < HEADER_OCTETS) return false;
  for (let at = 0; at < CANARY_LABEL.length; at++) {
    const octet = wire[start + at] ?? 0;
    const folded = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
    if (folded !== CANARY_LABEL[at]) return false;
  }
  return true;
}

/** A question for the canary's address. */
export const canaryQuery = (nonce: string, id: number): Buffer =>
  encodeQuery({ qname: canaryName(nonce), qtype: RRType.A, id });

/** Whether `response` is a shim's answer to `query`. */
export function isCanaryAnswer(response: Buffer, query: Buffer): boolean {
  if (response.length < HEADER_OCTETS || response.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  const [answer] = recordsOf(response) ?? [];
  if (answer?.section !== 'answer' || answer.type !== RRType.A) return false;
  return [...response.subarray(answer.rdataOffset, answer.end)].join('.') === CANARY_ADDRESS;
}
