import { RRType } from '../dns/constants.ts';
import {
  type DnsQuery,
  EdnsOption,
  HEADER_OCTETS,
  OPTION_HEADER_OCTETS,
  type Question,
  RR_FIXED_OCTETS,
} from '../dns/query.ts';

/** RFC 8467 section 4.1. */
const PADDING_BLOCK = 128;
const OPT_OCTETS = 1 + RR_FIXED_OCTETS;
/** HTTP carries messages of any size; this is for upstreams that go on over UDP. */
const UDP_SIZE = 4096;
const PLAIN_UDP_SIZE = 1232;

/** What the octets that an upstream gets depend on besides the question. */
export type OutgoingTraits = Pick<DnsQuery, 'rd' | 'ad' | 'cd' | 'edns'>;

/**
 * What an upstream is asked: id 0 (RFC 8484 section 4.1), RD, AD, CD and the question as received, and an OPT where the
 * query has one. An OPT is between neighbours (RFC 6891 section 6.1.1), so this one is ours: DO is kept, options of the
 * client are not, its subnet above all, and padding hides the length of the name.
 */
export function encodeOutgoing(query: OutgoingTraits, question: Question): Buffer {
  const optOffset = HEADER_OCTETS + question.wire.length;
  const length = query.edns ? paddedLength(optOffset + OPT_OCTETS) : optOffset;
  // Memory that is zero from the start would not be from Node's pool, and cost six times as much.
  const wire = Buffer.allocUnsafe(length).fill(0);
  wire[2] = query.rd ? 0x01 : 0;
  wire[3] = (query.ad ? 0x20 : 0) | (query.cd ? 0x10 : 0);
  wire.writeUInt16BE(1, 4);
  wire.set(question.wire, HEADER_OCTETS);
  if (query.edns) writeOpt(wire, optOffset, query.edns.do);
  return wire;
}

/** Two queries with equal keys put the same octets to an upstream, but for the case of the name. */
export function outgoingKey(query: OutgoingTraits, { qname, qtype, qclass }: Question): string {
  const { rd, ad, cd, edns } = query;
  const flags = Number(rd) | (Number(ad) << 1) | (Number(cd) << 2) | (edns === undefined ? 0 : edns.do ? 24 : 8);
  return `${flags} ${qtype} ${qclass} ${qname}`;
}

/**
 * The same for a resolver that is asked in clear: with an id of its own (RFC 5452 section 4.3), without padding, which
 * hides nothing there (RFC 7830 section 3), and with the size that fits every path.
 */
export function inClear(outgoing: Buffer, question: Question, id: number): Buffer {
  const optOffset = HEADER_OCTETS + question.wire.length;
  const wire = Buffer.from(outgoing.subarray(0, Math.min(outgoing.length, optOffset + OPT_OCTETS)));
  wire.writeUInt16BE(id, 0);
  if (wire.length > optOffset) {
    wire.writeUInt16BE(PLAIN_UDP_SIZE, optOffset + 3);
    wire.writeUInt16BE(0, wire.length - 2);
  }
  return wire;
}

const paddedLength = (octets: number): number =>
  Math.ceil((octets + OPTION_HEADER_OCTETS) / PADDING_BLOCK) * PADDING_BLOCK;

/** From `offset` to the end of the message, which is zeros so far. */
function writeOpt(wire: Buffer, offset: number, dnssecOk: boolean): void {
  const rdata = offset + OPT_OCTETS;
  wire.writeUInt16BE(1, 10);
  wire.writeUInt16BE(RRType.OPT, offset + 1);
  wire.writeUInt16BE(UDP_SIZE, offset + 3);
  wire[offset + 7] = dnssecOk ? 0x80 : 0;
  wire.writeUInt16BE(wire.length - rdata, rdata - 2);
  wire.writeUInt16BE(EdnsOption.padding, rdata);
  wire.writeUInt16BE(wire.length - rdata - OPTION_HEADER_OCTETS, rdata + 2);
}
