import { type Answer, decode, encode } from 'dns-packet';
import { RRClass, RRType } from './constants.ts';
import { readName } from './name.ts';
import { asBuffer, uint8, uint16 } from './octets.ts';
import { EdnsOption, HEADER_OCTETS, OPTION_HEADER_OCTETS, RR_FIXED_OCTETS } from './query.ts';
import { addressText, namesText, quoted, unknownText, word } from './rdata-text.ts';
import { serviceText } from './svcb-text.ts';
import { type RecordAt, rcodeOf, recordsOf, type Section } from './walk.ts';

/** A record for people to read. */
export interface DecodedRecord {
  readonly owner: string;
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  /** RDATA in presentation form; in that of RFC 3597 section 5 (`\# 2 abcd`) where the type has no other here. */
  readonly data: string;
}

export interface DecodedQuestion {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface DecodedEdns {
  readonly udpSize: number;
  readonly version: number;
  readonly do: boolean;
  readonly ede: readonly { readonly code: number; readonly text: string }[];
}

export interface DecodedMessage {
  readonly id: number;
  /** With the upper bits of the OPT. */
  readonly rcode: number;
  readonly aa: boolean;
  readonly tc: boolean;
  readonly rd: boolean;
  readonly ra: boolean;
  readonly ad: boolean;
  readonly cd: boolean;
  readonly questions: readonly DecodedQuestion[];
  readonly answers: readonly DecodedRecord[];
  readonly authorities: readonly DecodedRecord[];
  /** Without the OPT. */
  readonly additionals: readonly DecodedRecord[];
  readonly edns?: DecodedEdns;
}

/** Everything a message says, in text. For people: too slow for the path of a query. Undefined when it is malformed. */
export function decodeMessage(octets: Uint8Array): DecodedMessage | undefined {
  const wire = asBuffer(octets);
  const records = recordsOf(wire);
  const questions = decodeQuestions(wire);
  if (records === undefined || questions === undefined) return undefined;
  const opt = records.find(({ type }) => type === RRType.OPT);
  const sections = decodeSections(wire, records);
  if (sections === undefined) return undefined;
  return {
    id: uint16(wire, 0),
    rcode: rcodeOf(wire) | (opt === undefined ? 0 : (opt.ttl >>> 24) << 4),
    ...decodeFlags(wire),
    questions,
    answers: sections.answer,
    authorities: sections.authority,
    additionals: sections.additional,
    ...(opt !== undefined && { edns: decodeEdns(wire, opt) }),
  };
}

function decodeFlags(wire: Buffer): Pick<DecodedMessage, 'aa' | 'tc' | 'rd' | 'ra' | 'ad' | 'cd'> {
  const bit = (offset: number, mask: number) => (uint8(wire, offset) & mask) !== 0;
  return { aa: bit(2, 0x04), tc: bit(2, 0x02), rd: bit(2, 0x01), ra: bit(3, 0x80), ad: bit(3, 0x20), cd: bit(3, 0x10) };
}

function decodeQuestions(wire: Buffer): DecodedQuestion[] | undefined {
  const questions: DecodedQuestion[] = [];
  let at = HEADER_OCTETS;
  for (let left = uint16(wire, 4); left > 0; left--) {
    const owner = readName(wire, at);
    if (owner === undefined) return undefined;
    questions.push({ name: owner.name, type: uint16(wire, owner.end), class: uint16(wire, owner.end + 2) });
    at = owner.end + 4;
  }
  return questions;
}

function decodeSections(wire: Buffer, records: readonly RecordAt[]): Record<Section, DecodedRecord[]> | undefined {
  const sections: Record<Section, DecodedRecord[]> = { answer: [], authority: [], additional: [] };
  for (const record of records) {
    const owner = readName(wire, record.offset);
    if (owner === undefined) return undefined;
    if (record.type === RRType.OPT) continue;
    const { type, ttl } = record;
    sections[record.section].push({ owner: owner.name, type, ttl, data: rdataText(wire, record) });
  }
  return sections;
}

/** RFC 6891 section 6.1.3; undecodable options end the list. */
function decodeEdns(wire: Buffer, opt: RecordAt): DecodedEdns {
  const ede: { code: number; text: string }[] = [];
  for (let at = opt.rdataOffset; at < opt.end; ) {
    const data = at + OPTION_HEADER_OCTETS;
    const next = data + uint16(wire, at + 2);
    if (next > opt.end) break;
    if (uint16(wire, at) === EdnsOption.extendedError && next - data >= 2) {
      ede.push({ code: uint16(wire, data), text: wire.toString('utf8', data + 2, next) });
    }
    at = next;
  }
  return { udpSize: opt.class, version: (opt.ttl >>> 16) & 0xff, do: (opt.ttl & 0x8000) !== 0, ede };
}

function rdataText(wire: Buffer, record: RecordAt): string {
  return (
    addressText(wire, record) ??
    namesText(wire, record) ??
    serviceText(wire, record) ??
    standaloneText(wire, record) ??
    unknownText(wire, record)
  );
}

/** RDATA that makes sense without its message; undefined where dns-packet does not know it, or not all of it. */
function standaloneText(wire: Buffer, { type, rdataOffset, end }: RecordAt): string | undefined {
  if (!STANDALONE_TYPES.has(type)) return undefined;
  const message = messageOf(type, wire.subarray(rdataOffset, end));
  try {
    const decoded = decode(message);
    const [answer] = decoded.answers ?? [];
    // Codecs overlook fields that end early or late; what they read is all there is if they write the same.
    return answer !== undefined && encode(decoded).equals(message) ? answerText(answer) : undefined;
  } catch {
    return undefined;
  }
}

const STANDALONE_TYPES: ReadonlySet<number> = new Set([
  RRType.HINFO,
  RRType.TXT,
  RRType.NAPTR,
  RRType.DS,
  RRType.SSHFP,
  RRType.RRSIG,
  RRType.NSEC,
  RRType.DNSKEY,
  RRType.TLSA,
  RRType.CAA,
]);

/** A response with one record of class IN, owned by the root. */
function messageOf(type: number, rdata: Buffer): Buffer {
  const head = Buffer.alloc(HEADER_OCTETS + 1 + RR_FIXED_OCTETS);
  head[2] = 0x80;
  head.writeUInt16BE(1, 6);
  head.writeUInt16BE(type, HEADER_OCTETS + 1);
  head.writeUInt16BE(RRClass.IN, HEADER_OCTETS + 3);
  head.writeUInt16BE(rdata.length, HEADER_OCTETS + 9);
  return Buffer.concat([head, rdata]);
}

function answerText(answer: Answer): string | undefined {
  switch (answer.type) {
    case 'HINFO':
      return `${quoted(answer.data.cpu)} ${quoted(answer.data.os)}`;
    case 'TXT':
      return [answer.data].flat().map(quoted).join(' ');
    case 'CAA':
      return `${answer.data.flags} ${word(answer.data.tag)} ${quoted(answer.data.value)}`;
    case 'NAPTR': {
      const { order, preference, flags, services, regexp, replacement } = answer.data;
      return `${order} ${preference} ${quoted(flags)} ${quoted(services)} ${quoted(regexp)} ${word(replacement)}`;
    }
    case 'SSHFP':
      return `${answer.data.algorithm} ${answer.data.hash} ${answer.data.fingerprint}`;
    case 'TLSA': {
      const { usage, selector, matchingType, certificate } = answer.data;
      return `${usage} ${selector} ${matchingType} ${certificate.toString('hex')}`;
    }
    default:
      return dnssecText(answer);
  }
}

const DNSSEC_PROTOCOL = 3;

/** RFC 4034 sections 2.2, 3.2, 4.2 and 5.3. */
function dnssecText(answer: Answer): string | undefined {
  switch (answer.type) {
    case 'DS': {
      const { keyTag, algorithm, digestType, digest } = answer.data;
      return `${keyTag} ${algorithm} ${digestType} ${digest.toString('hex')}`;
    }
    case 'DNSKEY':
      return `${answer.data.flags} ${DNSSEC_PROTOCOL} ${answer.data.algorithm} ${answer.data.key.toString('base64')}`;
    case 'NSEC':
      return [word(answer.data.nextDomain), ...answer.data.rrtypes].join(' ');
    case 'RRSIG': {
      const { typeCovered, algorithm, labels, originalTTL, keyTag, signersName, signature } = answer.data;
      const validity = `${timeText(answer.data.expiration)} ${timeText(answer.data.inception)}`;
      const signer = `${keyTag} ${word(signersName)} ${signature.toString('base64')}`;
      return `${typeCovered} ${algorithm} ${labels} ${originalTTL} ${validity} ${signer}`;
    }
    default:
      return undefined;
  }
}

/** `YYYYMMDDHHmmSS` in UTC, from seconds since 1970. */
const timeText = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replaceAll(/[-:T]/g, '').slice(0, 'YYYYMMDDHHmmSS'.length);
