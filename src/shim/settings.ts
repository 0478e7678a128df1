import { isIP } from 'node:net';
import type { ParseArgsOptionDescriptor } from 'node:util';
import ipaddr from 'ipaddr.js';
import { duration } from '../settings/duration.ts';
import { nearestName } from '../settings/nearest-name.ts';
import { oneOf, type Reader, read, refuse, refuseBecause, shown, text, wholeNumber } from '../settings/reading.ts';
import { endpointUrl, type Route, route } from './route.ts';
import { type SocketAddress, socketAddress } from './socket-address.ts';

export const SETTINGS_FILE = '/etc/meshdoh/shim.conf';

/** What the operator of a host can set, validated. */
export interface ShimSettings {
  /** UDP and TCP; bridge addresses not counted. */
  readonly listen: readonly SocketAddress[];
  /** DoH URLs in order of preference; without a credential in them. */
  readonly endpoints: readonly string[];
  /** Addresses of the endpoints' hosts. Empty: they are looked up, never through the shim. */
  readonly bootstrap: readonly string[];
  /** PEM file of the authorities to trust instead of the system's. */
  readonly caFile: string | undefined;
  readonly tokenFile: string | undefined;
  /** Where the token goes: `/{token}/dns-query`, or `Authorization: Bearer`. */
  readonly tokenIn: 'path' | 'header';
  readonly auth: 'none' | 'token' | 'iam';
  /** Of SigV4; undefined: read from the endpoint's host name, or asked of the metadata service. */
  readonly region: string | undefined;
  /** As given; the defaults for cloud zones and search domains are not among them. */
  readonly routes: readonly Route[];
  /** Who answers names that are not the mesh's while every endpoint is down. */
  readonly fallback: 'system' | 'none';
  readonly capture: 'none' | 'resolver' | 'nft';
  /** Interfaces whose containers are served too. */
  readonly bridges: readonly string[];
  /** Users, by name or id, whose queries capture leaves alone. */
  readonly exemptUsers: readonly string[];
  readonly vips: 'auto' | 'nft' | 'off';
  /** What has to survive a reboot. */
  readonly stateDir: string;
  readonly cacheBytes: number;
  /** Between two looks at the view's table. */
  readonly tableIntervalMs: number;
  /** How long an answer may serve after its end while nobody answers. */
  readonly staleMaxMs: number;
  /** Undefined: no metrics. */
  readonly metricsListen: SocketAddress | undefined;
  /** Whom `install` runs the shim as. */
  readonly user: string;
  readonly log: LogLevel;
}

export type LogLevel = 'quiet' | 'info' | 'debug';

/** Every key of the file, which is also a flag; the values of those that may be repeated are lists. */
interface Values {
  readonly listen: readonly SocketAddress[];
  readonly endpoint: readonly string[];
  readonly bootstrap: readonly string[];
  readonly 'ca-file': string | undefined;
  readonly 'token-file': string | undefined;
  readonly 'token-in': 'path' | 'header';
  readonly auth: 'none' | 'token' | 'iam' | undefined;
  readonly region: string | undefined;
  readonly route: readonly Route[];
  readonly fallback: 'system' | 'none';
  readonly capture: 'none' | 'resolver' | 'nft';
  readonly bridge: readonly string[];
  readonly 'exempt-user': readonly string[];
  readonly vips: 'auto' | 'nft' | 'off';
  readonly 'state-dir': string;
  readonly 'cache-bytes': number;
  readonly 'table-interval': number;
  readonly 'stale-max': number;
  readonly 'metrics-listen': SocketAddress | undefined;
  readonly user: string;
  readonly log: LogLevel;
}

export type ShimKey = keyof Values;

const absolutePath = text(/^\/./, 'an absolute path');
const userName = text(/^[A-Za-z0-9_][\w.-]{0,31}$/, 'the name or id of a user');
const interfaceName = text(/^[^\s/]{1,15}$/, 'the name of a network interface, such as "docker0" or "br-*"');

/** UDP would answer from the wrong address. */
const listenAddress: Reader<SocketAddress> = (value) => {
  const reading = socketAddress(value);
  if (!reading.ok || ipaddr.process(reading.value.address).range() !== 'unspecified') return reading;
  return refuseBecause(value, 'replies from the wildcard leave from the wrong address; name each address');
};

/** Whoever reads metrics needs no credential. */
const metricsAddress: Reader<SocketAddress | undefined> = (value) => {
  if (value === 'off') return read(undefined);
  const reading = socketAddress(value);
  if (!reading.ok) return refuse(value, '"off", or ADDRESS:PORT on loopback, such as "127.0.0.1:15054"');
  const isLoopback = ipaddr.process(reading.value.address).range() === 'loopback';
  return isLoopback ? reading : refuse(value, 'an address of loopback: everybody who reaches it may read it');
};

const ipAddress: Reader<string> = (value) =>
  typeof value === 'string' && isIP(value) > 0 ? read(value) : refuse(value, 'an IP address');

function durationWithin(leastMs: number, mostMs: number, bounds: string): Reader<number> {
  return (value) => {
    const reading = duration(value);
    if (!reading.ok || (reading.value >= leastMs && reading.value <= mostMs)) return reading;
    return refuse(value, bounds);
  };
}

/** How one value of a key is read, and what it is for. */
interface KeyEntry<K extends ShimKey> {
  readonly reader: Reader<Values[K] extends readonly (infer E)[] ? E : Values[K]>;
  readonly repeatable?: true;
  /** What stands for the value in a list of flags, and a line about it. */
  readonly placeholder: string;
  readonly help: string;
}

const HOUR_MS = 3_600_000;

export const SHIM_KEYS: { readonly [K in ShimKey]: KeyEntry<K> } = {
  listen: {
    reader: listenAddress,
    repeatable: true,
    placeholder: 'ADDRESS:PORT',
    help: 'where to answer DNS over UDP and TCP',
  },
  endpoint: {
    reader: endpointUrl,
    repeatable: true,
    placeholder: 'URL',
    help: 'DoH endpoint; more than one: in order',
  },
  bootstrap: { reader: ipAddress, repeatable: true, placeholder: 'ADDRESS', help: "address of the endpoint's host" },
  'ca-file': { reader: absolutePath, placeholder: 'FILE', help: "authorities to trust instead of the system's, PEM" },
  'token-file': { reader: absolutePath, placeholder: 'FILE', help: 'file with the client token, mode 0600' },
  'token-in': { reader: oneOf('path', 'header'), placeholder: 'path|header', help: 'where the token is sent' },
  auth: { reader: oneOf('none', 'token', 'iam'), placeholder: 'none|token|iam', help: 'how the endpoint knows us' },
  region: {
    reader: text(/^[a-z0-9-]{1,32}$/, 'an AWS region, such as "eu-central-1"'),
    placeholder: 'REGION',
    help: 'of the endpoint, for auth iam',
  },
  route: {
    reader: route,
    repeatable: true,
    placeholder: 'SUFFIX=TARGET',
    help: 'who answers names below a suffix: doh, system, https://…, udp://ADDRESS[:PORT]',
  },
  fallback: {
    reader: oneOf('system', 'none'),
    placeholder: 'system|none',
    help: "who answers names that are not the mesh's while the endpoint is down",
  },
  capture: {
    reader: oneOf('none', 'resolver', 'nft'),
    placeholder: 'none|resolver|nft',
    help: 'how the queries of this host come here',
  },
  bridge: {
    reader: interfaceName,
    repeatable: true,
    placeholder: 'INTERFACE',
    help: 'serve containers behind it, too',
  },
  'exempt-user': { reader: userName, repeatable: true, placeholder: 'USER', help: 'whose queries are not captured' },
  vips: { reader: oneOf('auto', 'nft', 'off'), placeholder: 'auto|nft|off', help: 'whether virtual IPs are carried' },
  'state-dir': { reader: absolutePath, placeholder: 'FOLDER', help: 'what has to survive a reboot' },
  'cache-bytes': {
    reader: wholeNumber('a whole number of octets', 65_536, 2 ** 32),
    placeholder: 'OCTETS',
    help: 'memory of the answer cache',
  },
  'table-interval': {
    reader: durationWithin(1000, 24 * HOUR_MS, 'a duration from 1s to 24h'),
    placeholder: 'DURATION',
    help: "between two looks at the mesh's table",
  },
  'stale-max': {
    reader: durationWithin(0, HOUR_MS, 'a duration of 1h at most'),
    placeholder: 'DURATION',
    help: 'how long an answer may serve after its end, when nobody answers',
  },
  'metrics-listen': { reader: metricsAddress, placeholder: 'ADDRESS:PORT', help: '/metrics and /healthz, or "off"' },
  user: { reader: userName, placeholder: 'USER', help: 'whom install runs the shim as' },
  log: { reader: oneOf('quiet', 'info', 'debug'), placeholder: 'quiet|info|debug', help: 'what is told' },
};

const KEYS = Object.keys(SHIM_KEYS) as readonly ShimKey[];

const isKey = (name: string): name is ShimKey => Object.hasOwn(SHIM_KEYS, name);

/** Below it a port needs a capability. */
const UNPRIVILEGED_PORT = 15053;
const DNS_PORT = 53;

const DEFAULTS: Omit<Values, 'listen'> = {
  endpoint: [],
  bootstrap: [],
  'ca-file': undefined,
  'token-file': undefined,
  'token-in': 'path',
  auth: undefined,
  region: undefined,
  route: [],
  fallback: 'system',
  capture: 'none',
  bridge: [],
  'exempt-user': [],
  vips: 'auto',
  'state-dir': '/var/lib/meshdoh',
  'cache-bytes': 8 * 1024 * 1024,
  'table-interval': 60_000,
  'stale-max': HOUR_MS,
  'metrics-listen': { address: '127.0.0.1', port: 15054 },
  user: 'meshdoh',
  log: 'info',
};

/** One value that somebody wrote. */
export interface ShimGiven {
  readonly key: ShimKey;
  readonly value: string;
  /** `/etc/meshdoh/shim.conf:12` or `--listen`. */
  readonly origin: string;
}

export interface ShimSettingsSources {
  /** The settings file, if there is one. */
  readonly file?: { readonly name: string; readonly text: string } | undefined;
  /** From `parseArgs` with `SHIM_FLAGS`: they win over the file, key by key. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Whether the process may listen on port 53. */
  readonly privileged?: boolean;
}

export type ShimSettingsRead =
  | {
      readonly ok: true;
      readonly settings: ShimSettings;
      /** What was written, the winners only, so that it can be written again. */
      readonly given: readonly ShimGiven[];
    }
  | { readonly ok: false /** A line each. */; readonly errors: readonly string[] };

/** Every key as a flag, for `parseArgs` of node:util; a flag may be repeated where the key may. */
export const SHIM_FLAGS: Readonly<Record<string, ParseArgsOptionDescriptor>> = Object.fromEntries(
  KEYS.map((key) => [key, { type: 'string', multiple: true }]),
);

/** The defaults under the file under the flags; or everything that is wrong with what was written. */
export function readShimSettings(sources: ShimSettingsSources): ShimSettingsRead {
  const file = sources.file ? linesOf(sources.file) : { given: [], errors: [] };
  const flags = flagsOf(sources.flags ?? {});
  const overridden = new Set(flags.map(({ key }) => key));
  const given = [...file.given.filter(({ key }) => !overridden.has(key)), ...flags];
  const values = new Map<ShimKey, unknown[]>();
  const errors = [...file.errors, ...repeated(given)];
  for (const one of given) {
    const reading = SHIM_KEYS[one.key].reader(one.value);
    if (reading.ok) values.set(one.key, [...(values.get(one.key) ?? []), reading.value]);
    else errors.push(...reading.problems.map(({ value, reason }) => errorText({ ...one, value }, reason)));
  }
  const settings = settingsOf(values, sources.privileged ?? false);
  errors.push(...rulesBroken(settings, values));
  return errors.length > 0 ? { ok: false, errors } : { ok: true, settings, given };
}

/** A file with these settings. */
export const shimSettingsText = (given: readonly Pick<ShimGiven, 'key' | 'value'>[]): string =>
  given.map(({ key, value }) => `${key} = ${value}\n`).join('');

const errorText = ({ key, value, origin }: Omit<ShimGiven, 'value'> & { value: unknown }, reason: string): string =>
  `${origin}: "${key}" is ${shown(value)}: ${reason}`;

function linesOf({ name, text }: NonNullable<ShimSettingsSources['file']>) {
  const given: ShimGiven[] = [];
  const errors: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const origin = `${name}:${index + 1}`;
    const [, key, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || value === undefined)
      errors.push(`${origin}: expected "key = value", or "#" and a comment`);
    else if (!isKey(key)) errors.push(`${origin}: ${unknownKey(key)}`);
    else given.push({ key, value, origin });
  }
  return { given, errors };
}

/** Its value is not shown: it could be somebody's secret. */
function unknownKey(key: string): string {
  const nearest = nearestName(key, KEYS);
  return `"${shown(key).slice(1, -1)}" is unknown: ${nearest === undefined ? `known are ${KEYS.join(', ')}` : `did you mean "${nearest}"?`}`;
}

const flagsOf = (flags: Readonly<Record<string, unknown>>): ShimGiven[] =>
  KEYS.flatMap((key) => [flags[key] ?? []].flat().map((value) => ({ key, value: String(value), origin: `--${key}` })));

/** Of a key that may be given once, the second value would win in silence. */
function repeated(given: readonly ShimGiven[]): string[] {
  return given.flatMap((one, index) => {
    const earlier = given.slice(0, index).find(({ key }) => key === one.key);
    if (earlier === undefined || SHIM_KEYS[one.key].repeatable) return [];
    return [errorText(one, `expected once, and ${earlier.origin} has given it already`)];
  });
}

function settingsOf(read: ReadonlyMap<ShimKey, unknown[]>, privileged: boolean): ShimSettings {
  const port = privileged ? DNS_PORT : UNPRIVILEGED_PORT;
  const listen = [
    { address: '127.0.0.1', port },
    { address: '::1', port },
  ];
  const given = [...read].map(([key, values]) => [key, SHIM_KEYS[key].repeatable ? values : values[0]]);
  const values: Values = { listen, ...DEFAULTS, ...(Object.fromEntries(given) as Partial<Values>) };
  return {
    listen: values.listen,
    endpoints: values.endpoint,
    bootstrap: values.bootstrap,
    caFile: values['ca-file'],
    tokenFile: values['token-file'],
    tokenIn: values['token-in'],
    auth: values.auth ?? (values['token-file'] === undefined ? 'none' : 'token'),
    region: values.region,
    routes: values.route,
    fallback: values.fallback,
    capture: values.capture,
    bridges: values.bridge,
    exemptUsers: values['exempt-user'],
    vips: values.vips,
    stateDir: values['state-dir'],
    cacheBytes: values['cache-bytes'],
    tableIntervalMs: values['table-interval'],
    staleMaxMs: values['stale-max'],
    metricsListen: values['metrics-listen'],
    user: values.user,
    log: values.log,
  };
}

/** What the settings together must fulfil. */
function rulesBroken(settings: ShimSettings, given: ReadonlyMap<ShimKey, unknown>): string[] {
  const broken: string[] = [];
  const rule = (holds: boolean, text: string) => void (holds || broken.push(text));
  const { auth, tokenFile, endpoints, routes, bridges } = settings;
  rule(
    auth !== 'token' || tokenFile !== undefined || given.has('token-file'),
    '"auth" is "token": "token-file" is missing',
  );
  rule(auth === 'token' || tokenFile === undefined, `"token-file" is given, but "auth" is "${auth}"`);
  rule(
    auth !== 'iam' || endpoints.every((url) => url.startsWith('https:')),
    '"auth" is "iam": expected https endpoints',
  );
  rule(bridges.length === 0 || settings.capture === 'nft', '"bridge" needs "capture = nft"');
  const suffixes = routes.map(({ suffix }) => suffix);
  const twice = suffixes.find((suffix, index) => suffixes.indexOf(suffix) < index);
  rule(twice === undefined, `"route" gives ${shown(twice)} more than one target`);
  return broken;
}
