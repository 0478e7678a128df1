import { type IpAddress, ipText, isWithin, parseIp, parsePrefix } from '../dns/ip-address.ts';
import { parseName } from '../dns/name.ts';
import type { ClaimPort, Resolution } from '../serviceentry/claim.ts';
import type { VipAddresses } from './host.ts';
import { type MeshTable, TABLE_SCHEMA_VERSION, type TableEndpoint, type TableHost } from './mesh-table.ts';
import { poolPrefixes } from './pool-prefixes.ts';
import { readView } from './view-fields.ts';

export type TableRead =
  | { readonly ok: true; readonly table: MeshTable }
  /** `reason` says what is wrong and where; nothing of what was read is to be used. */
  | { readonly ok: false; readonly reason: string };

/** Above the table of the largest registry there is. */
export const MAX_TABLE_OCTETS = 64 * 1024 * 1024;
const MOST_HOSTS = 200_000;
const MOST_ADDRESSES = 1000;
const MOST_PORTS = 1000;
const MOST_ENDPOINTS = 10_000;
const MOST_POOLS = 64;
const MOST_ZONES = 1000;
const LONGEST_TTL = 86_400;
const LARGEST_WEIGHT = 2 ** 32 - 1;

/** What is wrong with a table; thrown and caught in this file only. */
class Malformed extends Error {
  override readonly name = 'Malformed';
}

type Fields = Readonly<Record<string, unknown>>;

function object(value: unknown, at: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Malformed(`${at} is not an object`);
  return value as Fields;
}

function list<T>(value: unknown, at: string, most: number, element: (one: unknown, at: string) => T): readonly T[] {
  if (!Array.isArray(value)) throw new Malformed(`${at} is not a list`);
  if (value.length > most) throw new Malformed(`${at} has more than ${most} elements`);
  return value.map((one, index) => element(one, `${at}[${index}]`));
}

function integer(value: unknown, at: string, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Malformed(`${at} is not a whole number from ${min} to ${max}`);
}

function text(value: unknown, at: string, longest: number): string {
  if (typeof value === 'string' && value.length <= longest) return value;
  throw new Malformed(`${at} is not a text of at most ${longest} characters`);
}

function flag(value: unknown, at: string): boolean {
  if (typeof value === 'boolean') return value;
  throw new Malformed(`${at} is neither true nor false`);
}

const LONGEST_NAME = 1020;

/** Canonical, as all names that it is compared with. */
function domainName(value: unknown, at: string): string {
  const given = text(value, at, LONGEST_NAME);
  if (parseName(given) !== given || given === '.') throw new Malformed(`${at} is not a domain name in canonical form`);
  return given;
}

function isAddress(given: string): boolean {
  const ip = parseIp(given);
  return ip !== undefined && ipText(ip) === given;
}

function address(value: unknown, at: string): string {
  const given = text(value, at, LONGEST_NAME);
  if (!isAddress(given)) throw new Malformed(`${at} is not an IP address in canonical form`);
  return given;
}

/** No wider than virtual IPs can need: routes and rules are made for all of it. */
const WIDEST = { ipv4: 12, ipv6: 8 } as const;

function prefix(value: unknown, at: string, family: 'ipv4' | 'ipv6'): string {
  const given = text(value, at, 64);
  const parsed = parsePrefix(given);
  if (parsed?.base.length !== (family === 'ipv4' ? 4 : 16)) {
    throw new Malformed(`${at} is not an ${family === 'ipv4' ? 'IPv4' : 'IPv6'} prefix`);
  }
  if (parsed.bits < WIDEST[family]) throw new Malformed(`${at} is wider than /${WIDEST[family]}`);
  return given;
}

const portNumber = (value: unknown, at: string): number => integer(value, at, 1, 65_535);

function port(value: unknown, at: string): ClaimPort {
  const { name, number, protocol, targetPort } = object(value, at);
  return {
    name: text(name, `${at}.name`, 256),
    number: portNumber(number, `${at}.number`),
    protocol: text(protocol, `${at}.protocol`, 32),
    ...(targetPort === undefined ? {} : { targetPort: portNumber(targetPort, `${at}.targetPort`) }),
  };
}

function portMap(value: unknown, at: string): Readonly<Record<number, number>> {
  const entries = Object.entries(object(value, at));
  if (entries.length > MOST_PORTS) throw new Malformed(`${at} has more than ${MOST_PORTS} ports`);
  return Object.fromEntries(
    entries.map(([from, to]) => [portNumber(Number(from), `a port of ${at}`), portNumber(to, `${at}.${from}`)]),
  );
}

function endpoint(value: unknown, at: string): TableEndpoint {
  const { address: target, ports, serves, weight } = object(value, at);
  const named = text(target, `${at}.address`, LONGEST_NAME);
  if (!isAddress(named)) domainName(named, `${at}.address`);
  return {
    address: named,
    ...(ports === undefined ? {} : { ports: portMap(ports, `${at}.ports`) }),
    ...(serves === undefined ? {} : { serves: list(serves, `${at}.serves`, MOST_PORTS, portNumber) }),
    ...(weight === undefined ? {} : { weight: integer(weight, `${at}.weight`, 0, LARGEST_WEIGHT) }),
  };
}

const RESOLUTIONS: ReadonlySet<string> = new Set<Resolution>([
  'NONE',
  'STATIC',
  'DNS',
  'DNS_ROUND_ROBIN',
  'DYNAMIC_DNS',
]);

function resolution(value: unknown, at: string): Resolution {
  if (typeof value === 'string' && RESOLUTIONS.has(value)) return value as Resolution;
  throw new Malformed(`${at} is not a resolution`);
}

function vipAddresses(value: unknown, at: string): VipAddresses {
  const { ipv4, ipv6 } = object(value, at);
  const vip = { ipv4: address(ipv4, `${at}.ipv4`), ipv6: address(ipv6, `${at}.ipv6`) };
  if (vip.ipv4.includes(':') || !vip.ipv6.includes(':')) throw new Malformed(`${at} has its families mixed up`);
  return vip;
}

function host(value: unknown, at: string): TableHost {
  const fields = object(value, at);
  return {
    host: domainName(fields.host, `${at}.host`),
    namespace: text(fields.namespace, `${at}.namespace`, 253),
    owned: flag(fields.owned, `${at}.owned`),
    addresses: list(fields.addresses, `${at}.addresses`, MOST_ADDRESSES, address),
    ...(fields.vip === undefined ? {} : { vip: vipAddresses(fields.vip, `${at}.vip`) }),
    resolution: resolution(fields.resolution, `${at}.resolution`),
    ttl: integer(fields.ttl, `${at}.ttl`, 0, LONGEST_TTL),
    ports: list(fields.ports, `${at}.ports`, MOST_PORTS, port),
    endpoints: list(fields.endpoints, `${at}.endpoints`, MOST_ENDPOINTS, endpoint),
  };
}

function pool(value: unknown, at: string) {
  const { ipv4, ipv6 } = object(value, at);
  return { ipv4: prefix(ipv4, `${at}.ipv4`, 'ipv4'), ipv6: prefix(ipv6, `${at}.ipv6`, 'ipv6') };
}

/**
 * A host twice would be two truths; a VIP twice would send one service's connections to another, and one outside the
 * pools those of a public service.
 */
function checkHosts(hosts: readonly TableHost[], pools: MeshTable['pools']): void {
  const prefixes = poolPrefixes(pools);
  const isInPool = (ip: IpAddress | undefined) => ip && prefixes.some((prefix) => isWithin(ip, prefix));
  const vips = new Set<string>();
  for (const [index, { host, vip }] of hosts.entries()) {
    const before = hosts[index - 1];
    if (before && before.host >= host) throw new Malformed(`hosts[${index}] is not in order, or repeated`);
    for (const address of vip ? [vip.ipv4, vip.ipv6] : []) {
      if (vips.has(address)) throw new Malformed(`hosts[${index}].vip is another host's`);
      if (!isInPool(parseIp(address))) throw new Malformed(`hosts[${index}].vip is in no pool`);
      vips.add(address);
    }
  }
}

function meshTable(value: unknown): MeshTable {
  const fields = object(value, 'the table');
  if (fields.schemaVersion !== TABLE_SCHEMA_VERSION) {
    throw new Malformed(`schemaVersion is not ${TABLE_SCHEMA_VERSION}, the only one that is understood here`);
  }
  const view = readView(object(fields.view, 'view'));
  if (!view) throw new Malformed('view is not a view');
  const hosts = list(fields.hosts, 'hosts', MOST_HOSTS, host);
  const pools = list(fields.pools, 'pools', MOST_POOLS, pool);
  checkHosts(hosts, pools);
  return {
    schemaVersion: TABLE_SCHEMA_VERSION,
    view,
    negativeTtl: integer(fields.negativeTtl, 'negativeTtl', 0, LONGEST_TTL),
    privateZones: list(fields.privateZones, 'privateZones', MOST_ZONES, domainName),
    pools,
    hosts,
  };
}

/**
 * A table from elsewhere: whole and sound, or not at all. The work is bounded by the octets; fields that a newer
 * server has added are left out.
 */
export function parseTable(json: string | Uint8Array): TableRead {
  if (json.length > MAX_TABLE_OCTETS) return { ok: false, reason: `it is over ${MAX_TABLE_OCTETS} octets` };
  let value: unknown;
  try {
    value = JSON.parse(typeof json === 'string' ? json : new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch {
    return { ok: false, reason: 'it is not JSON, or cut off' };
  }
  try {
    return { ok: true, table: meshTable(value) };
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, reason: error.message };
    throw error;
  }
}

/** The form that `parseTable` reads; equal tables give equal octets. */
export const tableJson = (table: MeshTable): string => JSON.stringify(table);
