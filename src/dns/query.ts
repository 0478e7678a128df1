import { RRClass, RRType } from './constants.ts';
import { type DomainName, encodeName, readName } from './name.ts';
import { asBuffer, setUint16, uint8, uint16 } from './octets.ts';

export interface Question {
  readonly qname: DomainName;
  readonly qtype: number;
  readonly qclass: number;
  /** Name, type and class octets as received, case kept. */
  readonly wire: Buffer;
}

/** What an OPT record of a query says (RFC 6891 section 6.1). */
export interface Edns {
  /** Octets of UDP payload the client takes. */
  readonly udpSize: number;
  readonly version: number;
  readonly do: boolean;
  /** A padding option is present (RFC 7830), so the response is padded too. */
  readonly padded: boolean;
  /** A client subnet option is present (RFC 7871). */
  readonly hasClientSubnet: boolean;
}

export interface DnsQuery {
  /** The whole message as received. */
  readonly wire: Buffer;
  readonly id: number;
  readonly opcode: number;
  readonly rd: boolean;
  readonly ad: boolean;
  readonly cd: boolean;
  readonly qdcount: number;
  /** Present when QDCOUNT is 1. */
  readonly question?: Question;
  readonly optCount: number;
  /** Present when there is exactly one OPT. */
  readonly edns?: Edns;
}

export type DecodedQuery = { readonly ok: true; readonly query: DnsQuery } | Malformed;

interface Malformed {
  readonly ok: false;
  /** One line, for the client. */
  readonly reason: string;
}

export interface QueryContent {
  readonly qname: DomainName;
  readonly qtype: number;
  /** 0 by default, which RFC 8484 section 4.1 asks for: it keeps HTTP caches effective. */
  readonly id?: number;
  /** True by default. */
  readonly rd?: boolean;
  readonly cd?: boolean;
  readonly edns?: { readonly udpSize: number; readonly do?: boolean };
}

/** EDNS option codes (IANA registry "DNS EDNS0 Option Codes"). */
export const EdnsOption = { clientSubnet: 8, padding: 12, extendedError: 15 } as const;

export const HEADER_OCTETS = 12;
/** OPTION-CODE and OPTION-LENGTH. */
export const OPTION_HEADER_OCTETS = 4;
/** TYPE, CLASS, TTL and RDLENGTH: what lies between the owner and the RDATA of a record. */
export const RR_FIXED_OCTETS = 10;
const MIN_QUESTION_OCTETS = 5;
const MIN_RR_OCTETS = 1 + RR_FIXED_OCTETS;

const malformed = (reason: string): Malformed => ({ ok: false, reason });

/**
 * Reads a query in one pass over its octets. Not ok means it cannot be answered as DNS at all; a query that can be,
 * but only with an error (another opcode, QDCOUNT other than 1, two OPT records), is ok.
 */
export function decodeQuery(wire: Uint8Array): DecodedQuery {
  if (wire.length < HEADER_OCTETS) return malformed('shorter than a DNS header (12 octets)');
  if (uint8(wire, 2) & 0x80) return malformed('a response, not a query (QR is set)');
  const qdcount = uint16(wire, 4);
  const beforeAdditional = uint16(wire, 6) + uint16(wire, 8);
  const rrCount = beforeAdditional + uint16(wire, 10);
  if (wire.length - HEADER_OCTETS < qdcount * MIN_QUESTION_OCTETS + rrCount * MIN_RR_OCTETS) {
    return malformed('the header counts more records than the message has room for');
  }
  const octets = asBuffer(wire);
  const questions = readQuestions(octets, qdcount);
  if (!questions.ok) return questions;
  const records = readRecords(octets, questions.end, beforeAdditional, rrCount);
  if (!records.ok) return records;
  const { question } = questions;
  const { edns, optCount } = records;
  return {
    ok: true,
    query: {
      wire: octets,
      id: uint16(wire, 0),
      opcode: (uint8(wire, 2) >> 3) & 0x0f,
      rd: (uint8(wire, 2) & 0x01) !== 0,
      ad: (uint8(wire, 3) & 0x20) !== 0,
      cd: (uint8(wire, 3) & 0x10) !== 0,
      qdcount,
      ...(qdcount === 1 && question !== undefined && { question }),
      optCount,
      ...(optCount === 1 && edns !== undefined && { edns }),
    },
  };
}

type Questions = { readonly ok: true; readonly question: Question | undefined; readonly end: number } | Malformed;

function readQuestions(wire: Buffer, qdcount: number): Questions {
  let question: Question | undefined;
  let at = HEADER_OCTETS;
  for (let index = 0; index < qdcount; index++) {
    const owner = readName(wire, at);
    if (owner === undefined) return malformed('a malformed name in the question');
    const end = owner.end + 4;
    if (end > wire.length) return malformed('the message ends within the question');
    question = {
      qname: owner.name,
      qtype: uint16(wire, owner.end),
      qclass: uint16(wire, owner.end + 2),
      wire: wire.subarray(at, end),
    };
    at = end;
  }
  return { ok: true, question, end: at };
}

type Records = { readonly ok: true; readonly optCount: number; readonly edns: Edns | undefined } | Malformed;

/** Steps over all records, up to the last octet of the message, and reads the OPT among them. */
function readRecords(wire: Buffer, start: number, beforeAdditional: number, count: number): Records {
  let at = start;
  let optCount = 0;
  let edns: Edns | undefined;
  for (let index = 0; index < count; index++) {
    const fixed = endOfOwner(wire, at);
    if (fixed === undefined) return malformed('a malformed owner name');
    const end = fixed + RR_FIXED_OCTETS + uint16(wire, fixed + 8);
    if (end > wire.length) return malformed('the message ends before its records do');
    if (uint16(wire, fixed) === RRType.OPT) {
      if (index < beforeAdditional) return malformed('an OPT record outside the additional section');
      const opt = readOpt(wire, at, fixed, end);
      if (!opt.ok) return opt;
      edns = opt.edns;
      optCount++;
    }
    at = end;
  }
  return at === wire.length ? { ok: true, optCount, edns } : malformed('octets after the last record');
}

const endOfOwner = (wire: Buffer, at: number): number | undefined =>
  wire[at] === 0 ? at + 1 : readName(wire, at)?.end;

type Opt = { readonly ok: true; readonly edns: Edns } | Malformed;

/** The OPT whose owner is at `at`, whose TYPE is at `fixed` and whose RDATA ends at `end`. */
function readOpt(wire: Buffer, at: number, fixed: number, end: number): Opt {
  if (wire[at] !== 0) return malformed('an OPT record with an owner other than the root');
  let padded = false;
  let hasClientSubnet = false;
  for (let option = fixed + RR_FIXED_OCTETS; option < end; ) {
    const next = option + OPTION_HEADER_OCTETS + uint16(wire, option + 2);
    if (next > end) return malformed('an EDNS option that does not fit its record');
    const code = uint16(wire, option);
    if (code === EdnsOption.padding) padded = true;
    if (code === EdnsOption.clientSubnet) hasClientSubnet = true;
    option = next;
  }
  const udpSize = uint16(wire, fixed + 2);
  const version = uint8(wire, fixed + 5);
  return { ok: true, edns: { udpSize, version, do: (uint8(wire, fixed + 6) & 0x80) !== 0, padded, hasClientSubnet } };
}

/** A query of class IN with one question. */
export function encodeQuery({ qname, qtype, id = 0, rd = true, cd = false, edns }: QueryContent): Buffer {
  const name = encodeName(qname);
  const questionEnd = HEADER_OCTETS + name.length + 4;
  const wire = Buffer.alloc(edns ? questionEnd + MIN_RR_OCTETS : questionEnd);
  setUint16(wire, 0, id);
  wire[2] = rd ? 0x01 : 0;
  wire[3] = cd ? 0x10 : 0;
  setUint16(wire, 4, 1);
  wire.set(name, HEADER_OCTETS);
  setUint16(wire, questionEnd - 4, qtype);
  setUint16(wire, questionEnd - 2, RRClass.IN);
  if (edns) {
    setUint16(wire, 10, 1);
    setUint16(wire, questionEnd + 1, RRType.OPT);
    setUint16(wire, questionEnd + 3, edns.udpSize);
    wire[questionEnd + 7] = edns.do ? 0x80 : 0;
  }
  return wire;
}
