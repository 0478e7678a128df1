import { RRClass, RRType } from '../dns/constants.ts';
import { uint8, uint16 } from '../dns/octets.ts';
import { EdnsOption, HEADER_OCTETS, OPTION_HEADER_OCTETS, RR_FIXED_OCTETS } from '../dns/query.ts';

/** What an answer depends on besides the question, as bits of a key's first character. */
const Trait = { rd: 0x01, ad: 0x02, cd: 0x04, edns: 0x08, do: 0x10, padded: 0x20 } as const;

const MAX_LABEL_OCTETS = 63;
const MAX_NAME_OCTETS = 255;
/** TYPE and CLASS. */
const QUESTION_TAIL_OCTETS = 4;
const OPT_OCTETS = 1 + RR_FIXED_OCTETS;
const MAX_SCOPE_LENGTH = 64;

/** Offset in the message minus offset in the key. */
const SHIFT = HEADER_OCTETS - 1;
/** Shared by all calls: a key is built in one go, and what leaves is a copy. */
const SCRATCH = Buffer.allocUnsafeSlow(1 + MAX_NAME_OCTETS + QUESTION_TAIL_OCTETS + MAX_SCOPE_LENGTH);

/**
 * Two queries with equal keys deserve the same octets in answer, but for the id and the case of the name (RFC 4343).
 * Straight from the octets, without decoding. Undefined for anything unusual, which then goes the long way: another
 * opcode or class, more than one question, records other than one OPT of version 0, anything malformed.
 *
 * `scope`, at most 64 characters of ASCII, ends the key: written with it, because strings that are joined afterwards take
 * longer to look up than to build.
 */
export function queryKey(query: Uint8Array, scope = ''): string | undefined {
  if (!hasUsualHeader(query)) return undefined;
  const nameEnd = foldName(query);
  if (nameEnd === undefined || uint16(query, nameEnd + 2) !== RRClass.IN) return undefined;
  const end = nameEnd + QUESTION_TAIL_OCTETS;
  const traits = headerTraits(query);
  const edns = uint8(query, 11) === 0 ? bareEnd(query, end) : optTraits(query, end);
  if (edns === undefined) return undefined;
  SCRATCH[0] = traits | edns;
  for (let at = nameEnd; at < end; at++) SCRATCH[at - SHIFT] = uint8(query, at);
  return SCRATCH.toString('latin1', 0, appendScope(scope, end - SHIFT));
}

/** The length of the key with it. */
function appendScope(scope: string, keyLength: number): number {
  if (scope.length > MAX_SCOPE_LENGTH) throw new RangeError(`a scope of over ${MAX_SCOPE_LENGTH} characters`);
  for (let at = 0; at < scope.length; at++) SCRATCH[keyLength + at] = scope.charCodeAt(at);
  return keyLength + scope.length;
}

/** The name that a key, with or without a scope after it, is about: in wire form, a character for each octet. */
export function nameInKey(key: string): string {
  let at = 1;
  for (let length = key.charCodeAt(at); length > 0; length = key.charCodeAt(at)) at += 1 + length;
  return key.slice(1, at + 1);
}

/** A standard query with one question and at most one additional record; bits that say nothing to us are clear. */
function hasUsualHeader(query: Uint8Array): boolean {
  return (
    query.length > HEADER_OCTETS + QUESTION_TAIL_OCTETS &&
    (uint8(query, 2) & 0xfe) === 0 &&
    (uint8(query, 3) & 0xcf) === 0 &&
    uint16(query, 4) === 1 &&
    uint16(query, 6) === 0 &&
    uint16(query, 8) === 0 &&
    uint16(query, 10) <= 1
  );
}

function headerTraits(query: Uint8Array): number {
  const flags = uint8(query, 3);
  return uint8(query, 2) | (flags & 0x20 ? Trait.ad : 0) | (flags & 0x10 ? Trait.cd : 0);
}

/** Copies the name in lower case; the offset after it, or undefined when it is compressed, too long or cut short. */
function foldName(query: Uint8Array): number | undefined {
  let at = HEADER_OCTETS;
  for (let length = uint8(query, at); length !== 0; length = uint8(query, at)) {
    const next = at + 1 + length;
    if (length > MAX_LABEL_OCTETS || next + 1 - HEADER_OCTETS > MAX_NAME_OCTETS) return undefined;
    SCRATCH[at - SHIFT] = length;
    for (at++; at < next; at++) {
      const octet = uint8(query, at);
      SCRATCH[at - SHIFT] = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
    }
  }
  SCRATCH[at - SHIFT] = 0;
  const end = at + 1;
  return end + QUESTION_TAIL_OCTETS <= query.length ? end : undefined;
}

/** No traits, if the message ends with its question. */
const bareEnd = (query: Uint8Array, end: number): 0 | undefined => (end === query.length ? 0 : undefined);

/** Of the OPT that follows the question and ends the message. Options other than padding change no answer. */
function optTraits(query: Uint8Array, start: number): number | undefined {
  const rdata = start + OPT_OCTETS;
  const isOpt = uint8(query, start) === 0 && uint16(query, start + 1) === RRType.OPT && uint8(query, start + 6) === 0;
  if (!isOpt || rdata + uint16(query, rdata - 2) !== query.length) return undefined;
  let traits: number = Trait.edns | (uint8(query, start + 7) & 0x80 ? Trait.do : 0);
  let at = rdata;
  while (at < query.length) {
    if (uint16(query, at) === EdnsOption.padding) traits |= Trait.padded;
    at += OPTION_HEADER_OCTETS + uint16(query, at + 2);
  }
  return at === query.length ? traits : undefined;
}
