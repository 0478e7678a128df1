import { Rcode, RRType } from './constants.ts';
import type { IpAddress } from './ip-address.ts';
import { endOfName } from './name.ts';
import { setUint16, uint8, uint16, uint32 } from './octets.ts';
import { EdnsOption, HEADER_OCTETS, OPTION_HEADER_OCTETS, type Question, RR_FIXED_OCTETS } from './query.ts';

export type Section = 'answer' | 'authority' | 'additional';

/** One record of a message, by offsets. */
export interface RecordAt {
  readonly section: Section;
  /** Of the owner. */
  readonly offset: number;
  readonly type: number;
  readonly class: number;
  readonly ttlOffset: number;
  /** Seconds; of an OPT: extended rcode, version and flags. */
  readonly ttl: number;
  readonly rdataOffset: number;
  readonly rdataLength: number;
  /** Of the octet after the record. */
  readonly end: number;
}

const MIN_SOA_RDATA_OCTETS = 22;
const BARE_OPT_OCTETS = 1 + RR_FIXED_OCTETS;
const NO_OCTETS = Buffer.alloc(0);
/** What every client takes over UDP (RFC 1035 section 4.2.1). */
const MIN_UDP_OCTETS = 512;
const TC = 0x02;

/** The records of a message in order, up to its last octet; undefined when it does not consist of whole records. */
export function recordsOf(wire: Uint8Array): readonly RecordAt[] | undefined {
  let at = endOfQuestions(wire);
  const authorities = uint16(wire, 6);
  const additionals = authorities + uint16(wire, 8);
  const count = additionals + uint16(wire, 10);
  const records: RecordAt[] = [];
  while (at !== undefined && records.length < count) {
    const index = records.length;
    const section = index < authorities ? 'answer' : index < additionals ? 'authority' : 'additional';
    const record = recordAt(wire, at, section);
    if (record !== undefined) records.push(record);
    at = record?.end;
  }
  return at === wire.length ? records : undefined;
}

/** Undefined when the message has no room for a header or for the questions it counts. */
function endOfQuestions(wire: Uint8Array): number | undefined {
  if (wire.length < HEADER_OCTETS) return undefined;
  let at = HEADER_OCTETS;
  for (let left = uint16(wire, 4); left > 0; left--) {
    const end = endOfName(wire, at);
    if (end === undefined) return undefined;
    at = end + 4;
  }
  return at <= wire.length ? at : undefined;
}

function recordAt(wire: Uint8Array, offset: number, section: Section): RecordAt | undefined {
  const fixed = endOfName(wire, offset);
  if (fixed === undefined) return undefined;
  const rdataOffset = fixed + RR_FIXED_OCTETS;
  const rdataLength = uint16(wire, fixed + 8);
  const end = rdataOffset + rdataLength;
  if (end > wire.length) return undefined;
  return {
    section,
    offset,
    type: uint16(wire, fixed),
    class: uint16(wire, fixed + 2),
    ttlOffset: fixed + 4,
    ttl: uint32(wire, fixed + 4),
    rdataOffset,
    rdataLength,
    end,
  };
}

/** An A or AAAA record of the length that its type has. */
export const isAddress = ({ type, rdataLength }: RecordAt): boolean =>
  (type === RRType.A && rdataLength === 4) || (type === RRType.AAAA && rdataLength === 16);

/** What such a record says; undefined for others. */
export const addressIn = (wire: Uint8Array, record: RecordAt): IpAddress | undefined =>
  isAddress(record) ? wire.subarray(record.rdataOffset, record.end) : undefined;

/** The four bits of the header; the upper bits of an extended rcode are in the OPT. */
export const rcodeOf = (wire: Uint8Array): number => uint8(wire, 3) & 0x0f;

/** A TTL with the highest bit set counts as 0 (RFC 2181 section 8). */
const seconds = (ttl: number): number => (ttl > 0x7fff_ffff ? 0 : ttl);

/**
 * How many seconds an HTTP cache may keep this response (RFC 8484 section 5.1): as long as its shortest-lived answer,
 * and as long as the SOA record allows of what it denies (RFC 2308 section 5). Undefined when it must not be cached:
 * an error, truncated, a denial without an SOA, or not a whole message.
 */
export function cacheSeconds(wire: Uint8Array, records = recordsOf(wire)): number | undefined {
  const rcode = rcodeOf(wire);
  const truncated = (uint8(wire, 2) & TC) !== 0;
  if (truncated || (rcode !== Rcode.noError && rcode !== Rcode.nxDomain)) return undefined;
  if (records === undefined || records.some(hasExtendedRcode)) return undefined;
  const answers = records.filter(({ section, type }) => section === 'answer' && type !== RRType.OPT);
  const soa = records.find(({ section, type }) => section === 'authority' && type === RRType.SOA);
  const denies = answers.length === 0 || rcode === Rcode.nxDomain;
  if (denies && soa === undefined) return undefined;
  const answered = answers.reduce((least, { ttl }) => Math.min(least, seconds(ttl)), Number.POSITIVE_INFINITY);
  return soa === undefined ? answered : Math.min(answered, negativeSeconds(wire, soa));
}

/** Whether this is an OPT with upper rcode bits: the header's NOERROR then is none. */
const hasExtendedRcode = ({ type, ttl }: RecordAt): boolean => type === RRType.OPT && ttl >>> 24 !== 0;

/** A name may be registered right after somebody asked for it in vain. */
export const MAX_DENIAL_SECONDS = 60;

/** Of a name, or of data; also where it is a CNAME's target that has none: the SOA says so (RFC 2308 section 2.2). */
export const isDenial = (response: Uint8Array, records: readonly RecordAt[]): boolean =>
  rcodeOf(response) === Rcode.nxDomain ||
  uint16(response, 6) === 0 ||
  records.some(({ section, type }) => section === 'authority' && type === RRType.SOA);

/** RFC 2308 section 5: the smaller of the SOA's TTL and its MINIMUM field, which is its last. */
export function negativeSeconds(wire: Uint8Array, soa: RecordAt): number {
  if (soa.rdataLength < MIN_SOA_RDATA_OCTETS) return 0;
  return Math.min(seconds(soa.ttl), seconds(uint32(wire, soa.end - 4)));
}

/** Whether `response` is a response with this one question; ASCII case does not count in its name (RFC 4343). */
export function sameQuestion(response: Uint8Array, { wire }: Pick<Question, 'wire'>): boolean {
  const nameLength = wire.length - 4;
  if (response.length < HEADER_OCTETS + wire.length) return false;
  if ((uint8(response, 2) & 0x80) === 0 || uint16(response, 4) !== 1) return false;
  for (let index = 0; index < wire.length; index++) {
    const theirs = uint8(response, HEADER_OCTETS + index);
    const ours = uint8(wire, index);
    if (theirs !== ours && (index >= nameLength || lowerCase(theirs) !== lowerCase(ours))) return false;
  }
  return true;
}

/** Length octets of labels are below the letters, so a whole name can be folded. */
const lowerCase = (octet: number): number => (octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet);

/**
 * The response in at most `maxOctets` (at least 512): unchanged when it fits. Otherwise padding and the additional
 * section go first, which is no loss; then the authority section and, from the end, whole answer records, and TC is
 * set (RFC 2181 section 9). The OPT stays.
 */
export function truncateResponse(wire: Buffer, maxOctets: number): Buffer {
  const most = Math.max(maxOctets, MIN_UDP_OCTETS);
  if (wire.length <= most) return wire;
  const records = recordsOf(wire);
  const questionEnd = records?.[0]?.offset ?? wire.length;
  if (records === undefined || questionEnd + BARE_OPT_OCTETS > most) return headerOnly(wire);
  const opt = optWithin(wire, records, most - questionEnd);
  const required = records.filter(({ section }) => section !== 'additional');
  const kept = keptRecords(required, most - opt.length);
  return assemble(wire, kept.at(-1)?.end ?? questionEnd, kept, required, opt);
}

/** The OPT of the message without padding, and without any option if they do not fit; no octets if it has none. */
function optWithin(wire: Buffer, records: readonly RecordAt[], room: number): Buffer {
  const record = records.find(isOpt);
  if (record === undefined) return NO_OCTETS;
  const options = optionsOf(wire, record).flatMap(({ code, octets }) => (code === EdnsOption.padding ? [] : [octets]));
  const length = options.reduce((sum, option) => sum + option.length, 0);
  const fits = BARE_OPT_OCTETS + length <= room;
  const fixed = Buffer.from(wire.subarray(record.rdataOffset - RR_FIXED_OCTETS, record.rdataOffset));
  setUint16(fixed, RR_FIXED_OCTETS - 2, fits ? length : 0);
  return Buffer.concat([Buffer.of(0), fixed, ...(fits ? options : [])]);
}

/** The OPT of a message is one of its additional records (RFC 6891 section 6.1.1). */
export const isOpt = ({ section, type }: RecordAt): boolean => section === 'additional' && type === RRType.OPT;

/** The options of an OPT, their octets with code and length; undecodable ones end the list. */
export function optionsOf(wire: Buffer, { rdataOffset, end }: RecordAt): { code: number; octets: Buffer }[] {
  const options: { code: number; octets: Buffer }[] = [];
  for (let at = rdataOffset; at < end; ) {
    const next = at + OPTION_HEADER_OCTETS + uint16(wire, at + 2);
    if (next > end) break;
    options.push({ code: uint16(wire, at), octets: wire.subarray(at, next) });
    at = next;
  }
  return options;
}

/** All of the answer and authority sections if they end within `room`, else the first of the answers. */
function keptRecords(required: readonly RecordAt[], room: number): readonly RecordAt[] {
  const fitting = required.filter(({ end }) => end <= room);
  return fitting.length === required.length ? required : fitting.filter(({ section }) => section === 'answer');
}

function assemble(
  wire: Buffer,
  end: number,
  kept: readonly RecordAt[],
  required: readonly RecordAt[],
  opt: Buffer,
): Buffer {
  const truncated = Buffer.concat([wire.subarray(0, end), opt]);
  if (kept.length < required.length) truncated[2] = uint8(wire, 2) | TC;
  const answers = kept.filter(({ section }) => section === 'answer').length;
  setUint16(truncated, 6, answers);
  setUint16(truncated, 8, kept.length - answers);
  setUint16(truncated, 10, opt.length > 0 ? 1 : 0);
  return truncated;
}

/** For a message that cannot be taken apart: nothing but the advice to ask again over TCP. */
function headerOnly(wire: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_OCTETS);
  wire.copy(header, 0, 0, 4);
  header[2] = uint8(wire, 2) | TC;
  return header;
}
