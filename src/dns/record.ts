import { RRClass, RRType } from './constants.ts';
import { parseIp } from './ip-address.ts';
import type { MessageWriter } from './message-writer.ts';
import type { DomainName } from './name.ts';

/** A record of class IN that meshdoh itself answers with. */
export type ResourceRecord = {
  readonly owner: DomainName;
  /** Seconds. */
  readonly ttl: number;
} & RecordData;

export type RecordData =
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly type: 'CNAME' | 'PTR'; readonly target: DomainName }
  | {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: DomainName;
    }
  | {
      readonly type: 'SOA';
      readonly mname: DomainName;
      readonly rname: DomainName;
      readonly serial: number;
      /** Seconds, as the following ones. */
      readonly refresh: number;
      readonly retry: number;
      readonly expire: number;
      readonly minimum: number;
    }
  | { readonly type: 'HINFO'; readonly cpu: string; readonly os: string }
  | { readonly type: 'TXT'; readonly text: readonly string[] };

const TYPE_NUMBERS = {
  A: RRType.A,
  AAAA: RRType.AAAA,
  CNAME: RRType.CNAME,
  PTR: RRType.PTR,
  SRV: RRType.SRV,
  SOA: RRType.SOA,
  HINFO: RRType.HINFO,
  TXT: RRType.TXT,
} as const;

/**
 * Appends the record with its RDLENGTH.
 *
 * @throws {RangeError} for an address that is not one of the record's family, or a character string over 255 octets.
 */
export function writeRecord(writer: MessageWriter, record: ResourceRecord): void {
  writer.name(record.owner);
  writer.uint16(TYPE_NUMBERS[record.type]);
  writer.uint16(RRClass.IN);
  writer.uint32(record.ttl);
  const lengthAt = writer.length;
  writer.uint16(0);
  writeData(writer, record);
  writer.uint16At(lengthAt, writer.length - lengthAt - 2);
}

function writeData(writer: MessageWriter, data: RecordData): void {
  switch (data.type) {
    case 'A':
    case 'AAAA':
      writeAddress(writer, data.type, data.address);
      break;
    case 'CNAME':
    case 'PTR':
      writer.name(data.target);
      break;
    case 'SRV':
      for (const field of [data.priority, data.weight, data.port]) writer.uint16(field);
      writer.uncompressedName(data.target); // RFC 2782
      break;
    case 'SOA':
      writer.name(data.mname);
      writer.name(data.rname);
      for (const field of [data.serial, data.refresh, data.retry, data.expire, data.minimum]) writer.uint32(field);
      break;
    case 'HINFO':
      for (const text of [data.cpu, data.os]) writer.characterString(text);
      break;
    case 'TXT':
      for (const text of data.text) writer.characterString(text);
      break;
  }
}

function writeAddress(writer: MessageWriter, type: 'A' | 'AAAA', address: string): void {
  const octets = parseIp(address);
  if (octets?.length !== (type === 'A' ? 4 : 16)) throw new RangeError(`not an address for ${type}: ${address}`);
  writer.octets(octets);
}
