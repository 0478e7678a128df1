import { Rcode, RRType } from './constants.ts';
import { MAX_MESSAGE_OCTETS, MessageWriter } from './message-writer.ts';
import { uint8 } from './octets.ts';
import { type DnsQuery, EdnsOption, HEADER_OCTETS, OPTION_HEADER_OCTETS } from './query.ts';
import { type ResourceRecord, writeRecord } from './record.ts';

export interface ResponseContent {
  /** May exceed 15 only in answer to a query with EDNS. */
  readonly rcode: number;
  readonly aa?: boolean;
  readonly answers?: readonly ResourceRecord[];
  readonly authorities?: readonly ResourceRecord[];
  /** Left out when the query has no OPT (RFC 8914 section 3). */
  readonly ede?: { readonly code: number; readonly text?: string };
}

/** What we take over UDP: fits any path without fragments. */
const UDP_SIZE = 1232;
/** RFC 8467 section 4.1. */
const PADDING_BLOCK = 468;
const OPT_OCTETS = 11;

/**
 * The response to `query`: its id, opcode, RD, CD and question octets (their case, too) echoed, RA set; an OPT only
 * when the query has one, with DO echoed, padded when the query is. Records beyond what a message can hold are left
 * out, whole, and TC is set.
 */
export function encodeResponse(query: DnsQuery, content: ResponseContent): Buffer {
  const { question } = query;
  const writer = new MessageWriter(question?.qname);
  const ede = encodeExtendedError(query, content);
  const room = MAX_MESSAGE_OCTETS - (query.edns ? OPT_OCTETS + ede.length : 0);
  writer.zeros(HEADER_OCTETS);
  if (question) writer.octets(question.wire);
  const answers = writeWhileFits(writer, content.answers ?? [], room);
  const truncated = answers < (content.answers?.length ?? 0);
  const authorities = truncated ? 0 : writeWhileFits(writer, content.authorities ?? [], room);
  const tc = truncated || authorities < (content.authorities?.length ?? 0);
  if (query.edns) writeOpt(writer, query, content.rcode, ede);
  const wire = writer.finish();
  writeHeader(wire, query, content, tc);
  wire.writeUInt16BE(question ? 1 : 0, 4);
  wire.writeUInt16BE(answers, 6);
  wire.writeUInt16BE(authorities, 8);
  wire.writeUInt16BE(query.edns ? 1 : 0, 10);
  return wire;
}

/**
 * FORMERR for octets that are no query, with as much of the header as they have (RFC 1035 section 4.1.1). For
 * listeners that have no other way to say so; a message shorter than a header answers to id 0.
 */
export function formErrorOf(octets: Uint8Array): Buffer {
  const wire = Buffer.alloc(HEADER_OCTETS);
  wire[0] = uint8(octets, 0);
  wire[1] = uint8(octets, 1);
  wire[2] = 0x80 | (uint8(octets, 2) & 0x79);
  wire[3] = 0x80 | Rcode.formErr;
  return wire;
}

/** How many of the records were written before the message reached `room` octets. */
function writeWhileFits(writer: MessageWriter, records: readonly ResourceRecord[], room: number): number {
  let written = 0;
  for (const record of records) {
    const start = writer.length;
    writeRecord(writer, record);
    if (writer.length > room) {
      writer.length = start;
      break;
    }
    written++;
  }
  return written;
}

function writeHeader(wire: Buffer, query: DnsQuery, content: ResponseContent, tc: boolean): void {
  wire.writeUInt16BE(query.id, 0);
  wire[2] = 0x80 | (query.opcode << 3) | (content.aa ? 0x04 : 0) | (tc ? 0x02 : 0) | (query.rd ? 0x01 : 0);
  wire[3] = 0x80 | (query.cd ? 0x10 : 0) | (content.rcode & 0x0f);
}

const NO_OCTETS = Buffer.alloc(0);

/** The whole option; no octets without an OPT to put it in, or without an error. */
function encodeExtendedError(query: DnsQuery, content: ResponseContent): Buffer {
  if (!query.edns || !content.ede) return NO_OCTETS;
  const text = Buffer.from(content.ede.text ?? '');
  const option = Buffer.alloc(OPTION_HEADER_OCTETS + 2 + text.length);
  option.writeUInt16BE(EdnsOption.extendedError, 0);
  option.writeUInt16BE(2 + text.length, 2);
  option.writeUInt16BE(content.ede.code, 4);
  option.set(text, OPTION_HEADER_OCTETS + 2);
  return option;
}

/** RFC 6891 section 6.1.3: upper rcode bits, version 0, DO; then the options. */
function writeOpt(writer: MessageWriter, query: DnsQuery, rcode: number, ede: Buffer): void {
  const padding = query.edns?.padded ? paddingAfter(writer.length + OPT_OCTETS + ede.length) : undefined;
  writer.uint8(0);
  writer.uint16(RRType.OPT);
  writer.uint16(UDP_SIZE);
  writer.uint8(rcode >>> 4);
  writer.uint8(0);
  writer.uint16(query.edns?.do ? 0x8000 : 0);
  writer.uint16(ede.length + (padding === undefined ? 0 : OPTION_HEADER_OCTETS + padding));
  writer.octets(ede);
  if (padding === undefined) return;
  writer.uint16(EdnsOption.padding);
  writer.uint16(padding);
  writer.zeros(padding);
}

/** Length of the padding that makes a message of `octets` a multiple of the block; undefined where none fits. */
function paddingAfter(octets: number): number | undefined {
  const unpadded = octets + OPTION_HEADER_OCTETS;
  if (unpadded > MAX_MESSAGE_OCTETS) return undefined;
  return Math.min(Math.ceil(unpadded / PADDING_BLOCK) * PADDING_BLOCK, MAX_MESSAGE_OCTETS) - unpadded;
}
