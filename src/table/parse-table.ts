import { type IpAddress, isCanonicalIp, isWithin, parseIp, parsePrefix } from '../dns/ip-address.ts';
import { parseName } from '../dns/name.ts';
import type { ClaimPort, Resolution } from '../serviceentry/claim.ts';
import type { VipAddresses } from './host.ts';
import { type MeshTable, TABLE_SCHEMA_VERSION, type TableEndpoint, type TableHost } from './mesh-table.ts';
import { poolPrefixes } from './pool-prefixes.ts';
import type { View } from './view.ts';
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

/** What is wrong with a part of a table: ` is not a list`. Thrown and caught in this file only. */
class Malformed extends Error {
  /** From the table to that part; made on the way out, for a sound table needs none. */
  path = '';
  /** Before the path, where it is not the part itself that is wrong. */
  before = '';

  get reason(): string {
    return this.before + (this.path.slice(1) || 'the table') + this.message;
  }
}

/** Checks a value. @throws Malformed */
type Reader<T> = (value: unknown) => T;

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf: Reader<Fields> = (value) => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Malformed(' is not an object');
};

/** What is wrong with a part, as what is wrong with the whole. */
function malformedAt(step: string, error: unknown): unknown {
  if (error instanceof Malformed) error.path = step + error.path;
  return error;
}

/** An object of these fields; those that are read as undefined are left out, as are all others. */
function object<T extends object>(fields: { readonly [K in keyof T]-?: Reader<T[K] | undefined> }): Reader<T> {
  const readers = Object.entries<Reader<unknown>>(fields);
  return (value) => {
    const given = fieldsOf(value);
    const read: Record<string, unknown> = {};
    for (const [name, reader] of readers) {
      try {
        const field = reader(given[name]);
        if (field !== undefined) read[name] = field;
      } catch (error) {
        throw malformedAt(`.${name}`, error);
      }
    }
    return read as T;
  };
}

const optional =
  <T>(reader: Reader<T>): Reader<T | undefined> =>
  (value) =>
    value === undefined ? undefined : reader(value);

const list =
  <T>(most: number, element: Reader<T>): Reader<readonly T[]> =>
  (value) => {
    if (!Array.isArray(value)) throw new Malformed(' is not a list');
    if (value.length > most) throw new Malformed(` has more than ${most} elements`);
    return value.map((one, index) => {
      try {
        return element(one);
      } catch (error) {
        throw malformedAt(`[${index}]`, error);
      }
    });
  };

/** A value for which `isMeant` holds. */
const valueThat =
  <T>(what: string, isMeant: (value: unknown) => value is T): Reader<T> =>
  (value) => {
    if (isMeant(value)) return value;
    throw new Malformed(` is not ${what}`);
  };

const integer = (min: number, max: number): Reader<number> =>
  valueThat(
    `a whole number from ${min} to ${max}`,
    (value): value is number => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
  );

const text = (longest: number): Reader<string> =>
  valueThat(
    `a text of at most ${longest} characters`,
    (value): value is string => typeof value === 'string' && value.length <= longest,
  );

const flag: Reader<boolean> = (value) => {
  if (typeof value === 'boolean') return value;
  throw new Malformed(' is neither true nor false');
};

/** Of a name in text form, every octet of it escaped, or an address. */
const name = text(1020);

/** The same, if `isMeant` holds. */
const nameThat = (what: string, isMeant: (given: string) => boolean): Reader<string> => {
  const meant = valueThat(what, (given): given is string => isMeant(given as string));
  return (value) => meant(name(value));
};

/** Canonical, as all names that it is compared with. */
const domainName = nameThat('a domain name in canonical form', (given) => parseName(given) === given && given !== '.');

const address = nameThat('an IP address in canonical form', isCanonicalIp);

/** No wider than `widest`, which virtual IPs can need: routes and rules are made for all of it. */
const prefix = (family: 'IPv4' | 'IPv6', octets: number, widest: number): Reader<string> => {
  const short = text(64);
  return (value) => {
    const given = short(value);
    const parsed = parsePrefix(given);
    if (parsed?.base.length !== octets) throw new Malformed(` is not an ${family} prefix`);
    if (parsed.bits < widest) throw new Malformed(` is wider than /${widest}`);
    return given;
  };
};

const portNumber = integer(1, 65_535);

const port = object<ClaimPort>({
  name: text(256),
  number: portNumber,
  protocol: text(32),
  targetPort: optional(portNumber),
});

const portMap: Reader<Readonly<Record<number, number>>> = (value) => {
  const entries = Object.entries(fieldsOf(value)).map(([from, to]) => [Number(from), to] as const);
  if (entries.length > MOST_PORTS) throw new Malformed(` has more than ${MOST_PORTS} ports`);
  const readers = Object.fromEntries(entries.map(([from]) => [portKey(from), portNumber]));
  return object<Record<number, number>>(readers)(Object.fromEntries(entries));
};

function portKey(from: number): number {
  try {
    return portNumber(from);
  } catch (error) {
    throw Object.assign(error as Malformed, { before: 'a port of ' });
  }
}

const endpoint = object<TableEndpoint>({
  address: (value) => (isCanonicalIp(name(value)) ? name : domainName)(value),
  ports: optional(portMap),
  serves: optional(list(MOST_PORTS, portNumber)),
  weight: optional(integer(0, LARGEST_WEIGHT)),
});

const RESOLUTIONS: readonly unknown[] = [
  'NONE',
  'STATIC',
  'DNS',
  'DNS_ROUND_ROBIN',
  'DYNAMIC_DNS',
] satisfies Resolution[];

const addressPair = object<VipAddresses>({ ipv4: address, ipv6: address });

const vipAddresses: Reader<VipAddresses> = (value) => {
  const vip = addressPair(value);
  if (vip.ipv4.includes(':') || !vip.ipv6.includes(':')) throw new Malformed(' has its families mixed up');
  return vip;
};

const host = object<TableHost>({
  host: domainName,
  namespace: text(253),
  owned: flag,
  addresses: list(MOST_ADDRESSES, address),
  vip: optional(vipAddresses),
  resolution: valueThat('a resolution', (value): value is Resolution => RESOLUTIONS.includes(value)),
  ttl: integer(0, LONGEST_TTL),
  ports: list(MOST_PORTS, port),
  endpoints: list(MOST_ENDPOINTS, endpoint),
});

const view: Reader<View> = (value) => {
  const read = readView(fieldsOf(value));
  if (read) return read;
  throw new Malformed(' is not a view');
};

/** The version first: what a newer one says of the rest is not understood here. */
const tableFields = object<MeshTable>({
  schemaVersion: valueThat(
    `${TABLE_SCHEMA_VERSION}, the only one that is understood here`,
    (value): value is typeof TABLE_SCHEMA_VERSION => value === TABLE_SCHEMA_VERSION,
  ),
  view,
  negativeTtl: integer(0, LONGEST_TTL),
  privateZones: list(MOST_ZONES, domainName),
  pools: list(MOST_POOLS, object({ ipv4: prefix('IPv4', 4, 12), ipv6: prefix('IPv6', 16, 8) })),
  hosts: list(MOST_HOSTS, host),
});

/**
 * A host twice would be two truths; a VIP twice would send one service's connections to another, and one outside the
 * pools those of a public service.
 */
function meshTable(value: unknown): MeshTable {
  const table = tableFields(value);
  const prefixes = poolPrefixes(table.pools);
  const isInPool = (ip: IpAddress | undefined) => ip && prefixes.some((prefix) => isWithin(ip, prefix));
  const vips = new Set<string>();
  let before = '';
  for (const [index, { host, vip }] of table.hosts.entries()) {
    const refuse = (step: string, wrong: string) => {
      throw malformedAt(`.hosts[${index}]${step}`, new Malformed(wrong));
    };
    if (before >= host) refuse('', ' is not in order, or repeated');
    before = host;
    for (const address of vip ? [vip.ipv4, vip.ipv6] : []) {
      if (vips.has(address)) refuse('.vip', " is another host's");
      if (!isInPool(parseIp(address))) refuse('.vip', ' is in no pool');
      vips.add(address);
    }
  }
  return table;
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
    if (error instanceof Malformed) return { ok: false, reason: error.reason };
    throw error;
  }
}

/** The form that `parseTable` reads; equal tables give equal octets. */
export const tableJson = (table: MeshTable): string => JSON.stringify(table);
