import { isIP } from 'node:net';
import { isIpWithin, LOOPBACK, UNSPECIFIED } from '../dns/ip-address.ts';
import { duration } from '../settings/duration.ts';
import { oneOf, type Reader, read, refuse, refuseBecause, text, wholeNumber } from '../settings/reading.ts';
import { endpointUrl, type Route, route } from './route.ts';
import { type SocketAddress, socketAddress } from './socket-address.ts';

export type LogLevel = 'quiet' | 'info' | 'debug';

/** Every key of the file, which is also a flag; the values of those that may be repeated are lists. */
export interface ShimValues {
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

export type ShimKey = keyof ShimValues;

const absolutePath = text(/^\/./, 'an absolute path');
const userName = text(/^[A-Za-z0-9_][\w.-]{0,31}$/, 'the name or id of a user');
const interfaceName = text(/^[^\s/]{1,15}$/, 'the name of a network interface, such as "docker0" or "br-*"');

/** UDP would answer from the wrong address. */
const listenAddress: Reader<SocketAddress> = (value) => {
  const reading = socketAddress(value);
  if (!reading.ok || !isIpWithin(reading.value.address, UNSPECIFIED)) return reading;
  return refuseBecause(value, 'replies from the wildcard leave from the wrong address; name each address');
};

/** Whoever reads metrics needs no credential. */
const metricsAddress: Reader<SocketAddress | undefined> = (value) => {
  if (value === 'off') return read(undefined);
  const reading = socketAddress(value);
  if (!reading.ok) return refuse(value, '"off", or ADDRESS:PORT on loopback, such as "127.0.0.1:15054"');
  if (isIpWithin(reading.value.address, LOOPBACK)) return reading;
  return refuse(value, 'an address of loopback: everybody who reaches it may read it');
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
  readonly reader: Reader<ShimValues[K] extends readonly (infer E)[] ? E : ShimValues[K]>;
  readonly repeatable?: true;
  /** What stands for the value in a list of flags, and a line about it. */
  readonly placeholder: string;
  readonly help: string;
}

/** One of a few words. */
const choice = <const T extends readonly string[]>(...words: T) => ({
  reader: oneOf(...words) as Reader<T[number]>,
  placeholder: words.join('|'),
});

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
  'token-in': { ...choice('path', 'header'), help: 'where the token is sent' },
  auth: { ...choice('none', 'token', 'iam'), help: 'how the endpoint knows us' },
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
    ...choice('system', 'none'),
    help: "who answers names that are not the mesh's while the endpoint is down",
  },
  capture: {
    ...choice('none', 'resolver', 'nft'),
    help: 'how the queries of this host come here',
  },
  bridge: {
    reader: interfaceName,
    repeatable: true,
    placeholder: 'INTERFACE',
    help: 'serve containers behind it, too',
  },
  'exempt-user': { reader: userName, repeatable: true, placeholder: 'USER', help: 'whose queries are not captured' },
  vips: { ...choice('auto', 'nft', 'off'), help: 'whether virtual IPs are carried' },
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
  log: { ...choice('quiet', 'info', 'debug'), help: 'what is told' },
};

export const SHIM_KEY_NAMES = Object.keys(SHIM_KEYS) as readonly ShimKey[];

export const isShimKey = (name: string): name is ShimKey => Object.hasOwn(SHIM_KEYS, name);

/** What is not written; of `listen` it depends on the process. */
export const SHIM_DEFAULTS: Omit<ShimValues, 'listen'> = {
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
