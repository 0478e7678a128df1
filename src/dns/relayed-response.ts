import { RRType } from './constants.ts';
import { MAX_MESSAGE_OCTETS } from './message-writer.ts';
import { setUint16, uint8, uint16 } from './octets.ts';
import { type ExtendedError, encodeExtendedError, encodeOpt } from './opt.ts';
import { type DnsQuery, EdnsOption, HEADER_OCTETS } from './query.ts';
import { isOpt, negativeSeconds, optionsOf, type RecordAt, rcodeOf, recordsOf } from './walk.ts';

export interface Relay {
  /** Seconds that HTTP caches had kept the response (RFC 8484 section 5.1). */
  readonly age?: number;
  /** The most that a TTL may say, in seconds. */
  readonly maxTtl?: number | undefined;
  /** To be added. */
  readonly ede?: ExtendedError;
  /** Of the response, where they are known already. */
  readonly records?: readonly RecordAt[];
}

/** The records of a response that are relayed, at the same offsets, and its OPT, which is not but says its rcode. */
export function relayedRecords(records: readonly RecordAt[]): readonly RecordAt[] {
  const opt = records.findIndex(isOpt);
  return opt === -1 || opt === records.length - 1 ? records : records.slice(0, opt + 1);
}

/**
 * Somebody else's response to the question of `query` as ours to it: id, RD, CD and the case of the name as in the
 * query, RA set, TTLs less `age`. The OPT is between neighbours (RFC 6891 section 6.1.1), so it is a new one, or none
 * where the query has none; extended errors are handed on. Everything else keeps its octets.
 */
export function relayResponse(query: DnsQuery, response: Buffer, relay: Relay = {}): Buffer {
  const { age = 0, maxTtl = NO_LIMIT, ede, records = recordsOf(response) ?? [] } = relay;
  const opt = records.find(isOpt);
  // Pointers lead backwards only, so records before the OPT do without what follows it.
  const end = opt?.offset ?? response.length;
  const options = opt === undefined ? [] : extendedErrorsOf(response, opt);
  if (ede !== undefined) options.push(encodeExtendedError(ede));
  const body = opt === undefined ? response : response.subarray(0, end);
  const relayed = withOpt(
    query,
    body,
    rcodeIn(response, opt),
    options.length === 0 ? NO_OPTIONS : Buffer.concat(options),
  );
  const required = uint16(response, 6) + uint16(response, 8);
  const additionals = (opt === undefined ? records.length : records.indexOf(opt)) - required;
  setUint16(relayed, 10, additionals + (relayed.length > end ? 1 : 0));
  setUint16(relayed, 0, query.id);
  if (query.question !== undefined) relayed.set(query.question.wire, HEADER_OCTETS);
  relayed[2] = (uint8(response, 2) & 0xfe) | (query.rd ? 0x01 : 0);
  relayed[3] = 0x80 | (uint8(response, 3) & 0x6f) | (query.cd ? 0x10 : 0);
  if (age > 0 || maxTtl < NO_LIMIT) limitTtls(relayed, records, end, age, maxTtl);
  return relayed;
}

const NO_OPTIONS = Buffer.alloc(0);
const NO_LIMIT = 0xffff_ffff;

const rcodeIn = (response: Buffer, opt: RecordAt | undefined): number =>
  rcodeOf(response) | (opt === undefined ? 0 : (opt.ttl >>> 24) << 4);

/** A copy; without an OPT where the query has none, or where none fits. */
function withOpt({ edns }: DnsQuery, response: Buffer, rcode: number, options: Buffer): Buffer {
  const opt = edns && encodeOpt(edns, rcode, options, response.length);
  const fits = opt !== undefined && response.length + opt.length <= MAX_MESSAGE_OCTETS;
  return fits ? Buffer.concat([response, opt]) : Buffer.from(response);
}

const extendedErrorsOf = (response: Buffer, opt: RecordAt): Buffer[] =>
  optionsOf(response, opt).flatMap(({ code, octets }) => (code === EdnsOption.extendedError ? [octets] : []));

function limitTtls(response: Buffer, records: readonly RecordAt[], end: number, age: number, maxTtl: number): void {
  for (const record of records) {
    if (record.offset >= end) continue;
    const left = Math.max(0, secondsOf(response, record) - age);
    response.writeUInt32BE(Math.min(left, maxTtl), record.ttlOffset);
  }
}

/** What counts of an SOA that comes with a denial is the smaller of two fields (RFC 2308 section 5). */
export const secondsOf = (response: Buffer, record: RecordAt): number =>
  record.section === 'authority' && record.type === RRType.SOA ? negativeSeconds(response, record) : record.ttl;
