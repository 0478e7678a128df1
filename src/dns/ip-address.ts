import { isIP } from 'node:net';
import { setUint16, uint8, uint16 } from './octets.ts';

/** The octets of an IP address: 4 or 16. */
export type IpAddress = Uint8Array;

/** The addresses that begin with the first `bits` of `base`. */
export interface IpPrefix {
  readonly base: IpAddress;
  readonly bits: number;
}

/** The address, without its zone, as inet_pton(3) reads it. */
export function parseIp(text: string): IpAddress | undefined {
  const family = isIP(text);
  if (family === 0) return undefined;
  return family === 4 ? ipv4Octets(text) : ipv6Octets(text.replace(/%.*/, ''));
}

const ipv4Octets = (text: string): Buffer => Buffer.from(text.split('.').map(Number));

/** Of what is known to be an address. */
function ipv6Octets(text: string): Buffer {
  const groups = text.replace(/[^:]+\.[^:]+$/, (dotted) => ipv4Octets(dotted).toString('hex').replace(/^.{4}/, '$&:'));
  const [before = [], after = []] = groups.split('::').map((part) => part.split(':'));
  const octets = Buffer.alloc(16);
  for (const [index, group] of before.entries()) writeGroup(octets, group, index);
  for (const [index, group] of after.entries()) writeGroup(octets, group, 8 - after.length + index);
  return octets;
}

/** Nothing before or after `::` is a group of zeros. */
const writeGroup = (octets: Buffer, group: string, index: number) =>
  setUint16(octets, 2 * index, Number.parseInt(group, 16) || 0);

/** The same, but an IPv4 address that is mapped into IPv6 (RFC 4291 section 2.5.5.2) as IPv4. */
export function parseUnmappedIp(text: string): IpAddress | undefined {
  const ip = parseIp(text);
  return ip && MAPPED.some((prefix) => isWithin(ip, prefix)) ? ip.subarray(12) : ip;
}

/** In the form of RFC 5952, with no dotted end for any prefix (its section 5 leaves the choice). */
export function ipText(ip: IpAddress): string {
  if (ip.length === 4) return ip.join('.');
  let groups = ':';
  for (let at = 0; at < ip.length; at += 2) groups += `${uint16(ip, at).toString(16)}:`;
  const [longest] = (groups.match(/:(0:){2,}/g) ?? []).sort((a, b) => b.length - a.length);
  if (longest === undefined) return groups.slice(1, -1);
  // A colon at either end that is not half of `::` goes again.
  return groups.replace(longest, '::').replace(/^:(?!:)|(?<!:):$/g, '');
}

/** Whether `ipText` would write it so; of IPv4 there is no other form. */
export function isCanonicalIp(text: string): boolean {
  if (isIP(text) === 4) return true;
  const ip = parseIp(text);
  return ip !== undefined && ipText(ip) === text;
}

/** `address/bits`; bits below the mask may be set. */
export function parsePrefix(text: string): IpPrefix | undefined {
  const [, address = '', length] = /^([^%]+)\/(\d{1,3})$/.exec(text) ?? [];
  const base = parseIp(address);
  const bits = Number(length);
  return base && bits <= 8 * base.length ? { base, bits } : undefined;
}

export const parsePrefixes = (...texts: string[]): readonly IpPrefix[] =>
  texts.flatMap((text) => parsePrefix(text) ?? []);

/** Whether the address of the prefix's family that begins at an offset of `octets` is within it. */
export function isWithinAt(octets: Uint8Array, offset: number, { base, bits }: IpPrefix): boolean {
  const whole = bits >> 3;
  for (let index = 0; index < whole; index++) if (octets[offset + index] !== base[index]) return false;
  return (uint8(octets, offset + whole) ^ uint8(base, whole)) >> (8 - (bits & 7)) === 0;
}

export const isWithin = (ip: IpAddress, prefix: IpPrefix): boolean =>
  ip.length === prefix.base.length && isWithinAt(ip, 0, prefix);

const MAPPED = parsePrefixes('::ffff:0:0/96');
export const LOOPBACK = parsePrefixes('127.0.0.0/8', '::1/128');
export const UNSPECIFIED = parsePrefixes('0.0.0.0/8', '::/128');

/** Whether `text` is an address, mapped ones as what they stand for, that one of the prefixes has. */
export function isIpWithin(text: string, prefixes: readonly IpPrefix[]): boolean {
  const ip = parseUnmappedIp(text);
  return ip !== undefined && prefixes.some((prefix) => isWithin(ip, prefix));
}
