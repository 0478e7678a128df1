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
class Malformed extends Error {}

/** Checks a value, of which `at` says where it stands. @throws Malformed */
type Reader<T> = (value: unknown, at: string) => T;

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf: Reader<Fields> = (value, at) => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Malformed(`${at} is not an object`);
};

/** An object of these fields; those that are read as undefined are left out, as are all others. */
function object<T extends object>(fields: { readonly [K in keyof T]-?: Reader<T[K] | undefined> }): Reader<T> {
  const readers = Object.entries<Reader<unknown>>(fields);
  return (value, at) => {
    const given = fieldsOf(value, at);
    const read: Record<string, unknown> = {};
    for (const [name, reader] of readers) {
      const field = reader(given[name], `${at}.${name}`);
      if (field !== undefined) read[name] = field;
    }
    return read as T;
  };
}

const optional =
  <T>(reader: Reader<T>): Reader<T | undefined> =>
  (value, at) =>
    value === undefined ? undefined : reader(value, at);

const list =
  <T>(most: number, element: Reader<T>): Reader<readonly T[]> =>
  (value, at) => {
    if (!Array.isArray(value)) throw new Malformed(`${at} is not a list`);
    if (value.length > most) throw new Malformed(`${at} has more than ${most} elements`);
    return value.map((one, index) => element(one, `${at}[${index}]`));
  };

const integer =
  (min: number, max: number): Reader<number> =>
  (value, at) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Malformed(`${at} is not a whole number from ${min} to ${max}`);
  };

const text =
  (longest: number): Reader<string> =>
  (value, at) => {
    if (typeof value === 'string' && value.length <= longest) return value;
    throw new Malformed(`${at} is not a text of at most ${longest} characters`);
  };

const flag: Reader<boolean> = (value, at) => {
  if (typeof value === 'boolean') return value;
  throw new Malformed(`${at} is neither true nor false`);
};

/** Of a name in text form, every octet of it escaped, or an address. */
const name = text(1020);

/** The same, if `isMeant` holds. */
const textThat =
  (what: string, isMeant: (given: string) => boolean): Reader<string> =>
  (value, at) => {
    const given = name(value, at);
    if (isMeant(given)) return given;
    throw new Malformed(`${at} is not ${what}`);
  };

/** Canonical, as all names that it is compared with. */
const isDomainName = (given: string): boolean => parseName(given) === given && given !== '.';

function isAddress(given: string): boolean {
  const ip = parseIp(given);
  return ip !== undefined && ipText(ip) === given;
}

const domainName = textThat('a domain name in canonical form', isDomainName);
const address = textThat('an IP address in canonical form', isAddress);

/** No wider than `widest`, which virtual IPs can need: routes and rules are made for all of it. */
const prefix =
  (family: 'IPv4' | 'IPv6', octets: number, widest: number): Reader<string> =>
  (value, at) => {
    const given = text(64)(value, at);
    const parsed = parsePrefix(given);
    if (parsed?.base.length !== octets) throw new Malformed(`${at} is not an ${family} prefix`);
    if (parsed.bits < widest) throw new Malformed(`${at} is wider than /${widest}`);
    return given;
  };

const portNumber = integer(1, 65_535);

const port = object<ClaimPort>({
  name: text(256),
  number: portNumber,
  protocol: text(32),
  targetPort: optional(portNumber),
});

const portMap: Reader<Readonly<Record<number, number>>> = (value, at) => {
  const entries = Object.entries(fieldsOf(value, at));
  if (entries.length > MOST_PORTS) throw new Malformed(`${at} has more than ${MOST_PORTS} ports`);
  return Object.fromEntries(
    entries.map(([from, to]) => [portNumber(Number(from), `a port of ${at}`), portNumber(to, `${at}.${from}`)]),
  );
};

const endpoint = object<TableEndpoint>({
  address: (value, at) => (isAddress(name(value, at)) ? name : domainName)(value, at),
  ports: optional(portMap),
  serves: optional(list(MOST_PORTS, portNumber)),
  weight: optional(integer(0, LARGEST_WEIGHT)),
});

const RESOLUTIONS: ReadonlySet<unknown> = new Set<Resolution>([
  'NONE',
  'STATIC',
  'DNS',
  'DNS_ROUND_ROBIN',
  'DYNAMIC_DNS',
]);

const resolution: Reader<Resolution> = (value, at) => {
  if (RESOLUTIONS.has(value)) return value as Resolution;
  throw new Malformed(`${at} is not a resolution`);
};

const addressPair = object<VipAddresses>({ ipv4: address, ipv6: address });

const vipAddresses: Reader<VipAddresses> = (value, at) => {
  const vip = addressPair(value, at);
  if (vip.ipv4.includes(':') || !vip.ipv6.includes(':')) throw new Malformed(`${at} has its families mixed up`);
  return vip;
};

const host = object<TableHost>({
  host: domainName,
  namespace: text(253),
  owned: flag,
  addresses: list(MOST_ADDRESSES, address),
  vip: optional(vipAddresses),
  resolution,
  ttl: integer(0, LONGEST_TTL),
  ports: list(MOST_PORTS, port),
  endpoints: list(MOST_ENDPOINTS, endpoint),
});

const pool = object<MeshTable['pools'][number]>({ ipv4: prefix('IPv4', 4, 12), ipv6: prefix('IPv6', 16, 8) });

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
  const fields = fieldsOf(value, 'the table');
  if (fields.schemaVersion !== TABLE_SCHEMA_VERSION) {
    throw new Malformed(`schemaVersion is not ${TABLE_SCHEMA_VERSION}, the only one that is understood here`);
  }
  const view = readView(fieldsOf(fields.view, 'view'));
  if (!view) throw new Malformed('view is not a view');
  const hosts = list(MOST_HOSTS, host)(fields.hosts, 'hosts');
  const pools = list(MOST_POOLS, pool)(fields.pools, 'pools');
  checkHosts(hosts, pools);
  return {
    schemaVersion: TABLE_SCHEMA_VERSION,
    view,
    negativeTtl: integer(0, LONGEST_TTL)(fields.negativeTtl, 'negativeTtl'),
    privateZones: list(MOST_ZONES, domainName)(fields.privateZones, 'privateZones'),
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
