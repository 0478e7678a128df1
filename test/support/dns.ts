import { parseType, rcodeName, typeName } from '../../src/dns/constants.ts';
import { type DecodedMessage, decodeMessage } from '../../src/dns/message.ts';
import { type DomainName, parseName } from '../../src/dns/name.ts';
import { type DnsQuery, decodeQuery, encodeQuery, type QueryContent } from '../../src/dns/query.ts';
import { encodeResponse, type ResponseContent } from '../../src/dns/response.ts';

/** The name, or an error that says which text is none. */
export function name(text: string): DomainName {
  const parsed = parseName(text);
  if (parsed === undefined) throw new Error(`not a domain name: ${text}`);
  return parsed;
}

export interface QueryOptions extends Omit<QueryContent, 'qname' | 'qtype'> {
  /** Adds a padding option (and an OPT, if `edns` asks for none). */
  readonly padded?: boolean;
  /** Adds a client subnet option of 192.0.2.0/24 (and an OPT, if `edns` asks for none). */
  readonly clientSubnet?: boolean;
  /** Writes the qname as given, case kept (0x20). */
  readonly keepCase?: boolean;
}

const PADDING = Buffer.from('000c0003000000', 'hex');
const CLIENT_SUBNET = Buffer.from('0008000700011800c00002', 'hex');

/** A query in wire form: `queryWire('auto.internal', 'A', { edns: { udpSize: 1232 } })`. */
export function queryWire(qname: string, type: string | number = 'A', options: QueryOptions = {}): Buffer {
  const { padded = false, clientSubnet = false, keepCase = false, ...content } = options;
  const qtype = typeof type === 'number' ? type : parseType(type);
  if (qtype === undefined) throw new Error(`not a record type: ${type}`);
  const ednsOptions = Buffer.concat([...(padded ? [PADDING] : []), ...(clientSubnet ? [CLIENT_SUBNET] : [])]);
  const edns = content.edns ?? (ednsOptions.length > 0 ? { udpSize: 1232 } : undefined);
  const bare = encodeQuery({ qname: name(qname), qtype, ...content, ...(edns && { edns }) });
  if (keepCase) writeCase(bare, qname);
  if (ednsOptions.length > 0) bare.writeUInt16BE(ednsOptions.length, bare.length - 2);
  return Buffer.concat([bare, ednsOptions]);
}

/** The same, decoded. */
export const query = (qname: string, type: string | number = 'A', options: QueryOptions = {}): DnsQuery =>
  decoded(queryWire(qname, type, options));

/** What `decodeQuery` makes of a query that has to be valid. */
export function decoded(wire: Uint8Array): DnsQuery {
  const result = decodeQuery(wire);
  if (!result.ok) throw new Error(`not a query: ${result.reason}`);
  return result.query;
}

/** A response in wire form to `query`, NOERROR by default. */
export const responseWire = (query: DnsQuery, content: Partial<ResponseContent> = {}): Buffer =>
  encodeResponse(query, { rcode: 0, ...content });

/** The message, or an error if it is malformed. */
export function message(wire: Uint8Array): DecodedMessage {
  const parsed = decodeMessage(wire);
  if (parsed === undefined) throw new Error(`not a DNS message: ${Buffer.from(wire).toString('hex')}`);
  return parsed;
}

/** The answer section, one `owner ttl TYPE data` line per record: `auto.internal 300 A 240.240.1.2`. */
export const answersOf = (wire: Uint8Array): string[] => message(wire).answers.map(line);

export const authoritiesOf = (wire: Uint8Array): string[] => message(wire).authorities.map(line);

/** `NOERROR`, `NXDOMAIN`, …, upper bits of the OPT included. */
export const rcodeIn = (wire: Uint8Array): string => rcodeName(message(wire).rcode);

/** Codes of the extended errors; none without an OPT. */
export const edeCodesOf = (wire: Uint8Array): number[] => message(wire).edns?.ede.map(({ code }) => code) ?? [];

const line = ({ owner, ttl, type, data }: DecodedMessage['answers'][number]): string =>
  `${owner} ${ttl} ${typeName(type)} ${data}`;

/** Restores the case of a qname without escapes, which canonical form has lost. */
function writeCase(wire: Buffer, qname: string): void {
  let at = 12;
  for (const label of qname.replace(/\.$/, '').split('.')) {
    wire.write(label, at + 1, 'latin1');
    at += label.length + 1;
  }
}
