import { Rcode } from './constants.ts';
import { MAX_MESSAGE_OCTETS, MessageWriter } from './message-writer.ts';
import { setUint16, uint8 } from './octets.ts';
import { type ExtendedError, encodeExtendedError, encodeOpt, OPT_OCTETS } from './opt.ts';
import { type DnsQuery, HEADER_OCTETS } from './query.ts';
import { type ResourceRecord, writeRecord } from './record.ts';

export interface ResponseContent {
  /** May exceed 15 only in answer to a query with EDNS. */
  readonly rcode: number;
  readonly aa?: boolean;
  readonly answers?: readonly ResourceRecord[];
  readonly authorities?: readonly ResourceRecord[];
  /** Left out when the query has no OPT (RFC 8914 section 3). */
  readonly ede?: ExtendedError;
}

const NO_OCTETS = Buffer.alloc(0);
/** Room for the header, which is written last. */
const NO_HEADER = Buffer.alloc(HEADER_OCTETS);

/**
 * The response to `query`: its id, opcode, RD, CD and question octets (their case, too) echoed, RA set; an OPT only
 * when the query has one, with DO echoed, padded when the query is. Records beyond what a message can hold are left
 * out, whole, and TC is set.
 */
export function encodeResponse(query: DnsQuery, content: ResponseContent): Buffer {
  const { question } = query;
  const { answers = [], authorities = [] } = content;
  const writer = new MessageWriter(question?.qname);
  const ede = query.edns && content.ede ? encodeExtendedError(content.ede) : NO_OCTETS;
  const room = MAX_MESSAGE_OCTETS - (query.edns ? OPT_OCTETS + ede.length : 0);
  writer.octets(NO_HEADER);
  if (question) writer.octets(question.wire);
  const answerCount = writeWhileFits(writer, answers, room);
  const truncated = answerCount < answers.length;
  const authorityCount = truncated ? 0 : writeWhileFits(writer, authorities, room);
  const tc = truncated || authorityCount < authorities.length;
  if (query.edns) writer.octets(encodeOpt(query.edns, content.rcode, ede, writer.length));
  const wire = writer.finish();
  writeHeader(wire, query, content, tc);
  setUint16(wire, 4, question ? 1 : 0);
  setUint16(wire, 6, answerCount);
  setUint16(wire, 8, authorityCount);
  setUint16(wire, 10, query.edns ? 1 : 0);
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
  setUint16(wire, 0, query.id);
  wire[2] = 0x80 | (query.opcode << 3) | (content.aa ? 0x04 : 0) | (tc ? 0x02 : 0) | (query.rd ? 0x01 : 0);
  wire[3] = 0x80 | (query.cd ? 0x10 : 0) | (content.rcode & 0x0f);
}
