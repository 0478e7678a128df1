import { RRType } from './constants.ts';
import { ipText } from './ip-address.ts';
import { readName } from './name.ts';
import { uint8, uint16 } from './octets.ts';
import { quoted } from './rdata-text.ts';
import type { RecordAt } from './walk.ts';

/** A SvcParamKey with a presentation form of its own (IANA registry "DNS SVCB"). */
interface Parameter {
  readonly name: string;
  /** The value as text; undefined when it is malformed. */
  readonly text: (value: Buffer) => string | undefined;
}

const PARAMETERS: readonly Parameter[] = [
  { name: 'mandatory', text: keysText },
  { name: 'alpn', text: protocolsText },
  { name: 'no-default-alpn', text: nothing },
  { name: 'port', text: (value) => (value.length === 2 ? String(uint16(value, 0)) : undefined) },
  { name: 'ipv4hint', text: (value) => addressesText(value, 4) },
  { name: 'ech', text: (value) => `"${value.toString('base64')}"` },
  { name: 'ipv6hint', text: (value) => addressesText(value, 16) },
  { name: 'dohpath', text: quoted },
  { name: 'ohttp', text: nothing },
];

/** RDATA of SVCB and HTTPS (RFC 9460 section 2.1); undefined for other types, and where it is malformed. */
export function serviceText(wire: Buffer, { type, rdataOffset, end }: RecordAt): string | undefined {
  if (type !== RRType.SVCB && type !== RRType.HTTPS) return undefined;
  const target = readName(wire, rdataOffset + 2);
  if (target === undefined || target.end > end) return undefined;
  const parameters = parametersText(wire.subarray(target.end, end));
  return parameters && [uint16(wire, rdataOffset), target.name, ...parameters].join(' ');
}

/** Keys are in strictly ascending order (RFC 9460 section 2.2). */
function parametersText(octets: Buffer): string[] | undefined {
  const texts: string[] = [];
  let above = -1;
  for (let at = 0; at < octets.length; ) {
    const key = uint16(octets, at);
    const value = at + 4;
    const next = value + uint16(octets, at + 2);
    if (key <= above || next > octets.length) return undefined;
    const text = parameterText(key, octets.subarray(value, next));
    if (text === undefined) return undefined;
    texts.push(text);
    above = key;
    at = next;
  }
  return texts;
}

const keyName = (key: number): string => PARAMETERS[key]?.name ?? `key${key}`;

function parameterText(key: number, value: Buffer): string | undefined {
  const text = (PARAMETERS[key]?.text ?? opaqueText)(value);
  if (text === undefined) return undefined;
  return text === '' ? keyName(key) : `${keyName(key)}=${text}`;
}

const opaqueText = (value: Buffer): string => (value.length === 0 ? '' : quoted(value));

function nothing(value: Buffer): string | undefined {
  return value.length === 0 ? '' : undefined;
}

function keysText(value: Buffer): string | undefined {
  if (value.length === 0 || value.length % 2 !== 0) return undefined;
  return Array.from({ length: value.length / 2 }, (_, index) => keyName(uint16(value, 2 * index))).join(',');
}

/** Identifiers in a list with commas, which are escaped within them, before the whole is (RFC 9460 appendix A.1). */
function protocolsText(value: Buffer): string | undefined {
  const protocols: string[] = [];
  for (let at = 0; at < value.length; ) {
    const next = at + 1 + uint8(value, at);
    if (next > value.length || next === at + 1) return undefined;
    protocols.push(value.toString('latin1', at + 1, next).replaceAll(/[\\,]/g, '\\$&'));
    at = next;
  }
  return protocols.length === 0 ? undefined : quoted(Buffer.from(protocols.join(','), 'latin1'));
}

function addressesText(value: Buffer, octets: 4 | 16): string | undefined {
  if (value.length === 0 || value.length % octets !== 0) return undefined;
  const addresses = Array.from({ length: value.length / octets }, (_, index) =>
    ipText(value.subarray(index * octets, (index + 1) * octets)),
  );
  return addresses.join(',');
}
