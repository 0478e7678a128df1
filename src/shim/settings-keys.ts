import { isIP } from 'node:net';
import { isIpWithin, LOOPBACK, UNSPECIFIED } from '../dns/ip-address.ts';
import { duration } from '../settings/duration.ts';
import { oneOf, read, refuse, refuseBecause, type TextReader, text, wholeNumber } from '../settings/reading.ts';
import { endpointUrl, route } from './route.ts';
import type { ShimSettings } from './settings.ts';
import { type SocketAddress, socketAddress } from './socket-address.ts';

export type LogLevel = 'quiet' | 'info' | 'debug';

const absolutePath = text(/^\/./, 'an absolute path');
/** The token itself, given by mistake, must not be repeated. */
const tokenPath: TextReader<string> = (value) =>
  value.includes('/')
    ? absolutePath(value)
    : refuseBecause('(hidden)', 'expected an absolute path of a file with the token');

const userName = text(/^[A-Za-z0-9_][\w.-]{0,31}$/, 'the name or id of a user');
const interfaceName = text(/^[^\s/]{1,15}$/, 'the name of a network interface, such as "docker0" or "br-*"');

/** UDP would answer from the wrong address. */
const listenAddress: TextReader<SocketAddress> = (value) => {
  const reading = socketAddress(value);
  if (!reading.ok || !isIpWithin(reading.value.address, UNSPECIFIED)) return reading;
  return refuseBecause(value, 'replies from the wildcard leave from the wrong address; name each address');
};

/** Whoever reads metrics needs no credential. */
const metricsAddress: TextReader<SocketAddress | undefined> = (value) => {
  if (value === 'off') return read(undefined);
  const reading = socketAddress(value);
  if (!reading.ok) return refuse(value, '"off", or ADDRESS:PORT on loopback, such as "127.0.0.1:15054"');
  if (isIpWithin(reading.value.address, LOOPBACK)) return reading;
  return refuse(value, 'an address of loopback: everybody who reaches it may read it');
};

const ipAddress: TextReader<string> = (value) => (isIP(value) > 0 ? read(value) : refuse(value, 'an IP address'));

function durationWithin(leastMs: number, mostMs: number, bounds: string): TextReader<number> {
  return (value) => {
    const reading = duration(value);
    if (!reading.ok || (reading.value >= leastMs && reading.value <= mostMs)) return reading;
    return refuse(value, bounds);
  };
}

/** A key of the file, which is also a flag. */
interface KeyEntry {
  readonly setting: keyof ShimSettings;
  /** The value of the setting where it is not written. */
  readonly unset: unknown;
  /** Of one value; where the key may be repeated, the setting is a list of them. */
  readonly reader: TextReader<unknown>;
  readonly repeatable: boolean;
  /** What stands for the value in a list of flags, and a line about it. */
  readonly placeholder: string;
  readonly help: string;
}

type Element<V> = V extends readonly (infer E)[] ? E : V;

const key = <S extends keyof ShimSettings>(
  setting: S,
  unset: ShimSettings[S] | undefined,
  reader: TextReader<Element<ShimSettings[S]>>,
  placeholder: string,
  help: string,
): KeyEntry => ({ setting, unset, reader, repeatable: Array.isArray(unset), placeholder, help });

/** One of a few words. */
const choice = <S extends keyof ShimSettings, const W extends string>(
  setting: S,
  unset: ShimSettings[S] | undefined,
  words: readonly (W & ShimSettings[S])[],
  help: string,
): KeyEntry => key(setting, unset, oneOf(...words) as TextReader<Element<ShimSettings[S]>>, words.join('|'), help);

const HOUR_MS = 3_600_000;

export const SHIM_KEYS = {
  /** Where nothing is written it depends on the process. */
  listen: key('listen', [], listenAddress, 'ADDRESS:PORT', 'where to answer DNS over UDP and TCP'),
  endpoint: key('endpoints', [], endpointUrl, 'URL', 'DoH endpoint; more than one: in order'),
  bootstrap: key('bootstrap', [], ipAddress, 'ADDRESS', "address of the endpoint's host"),
  'ca-file': key('caFile', undefined, absolutePath, 'FILE', "authorities to trust instead of the system's, PEM"),
  'token-file': key('tokenFile', undefined, tokenPath, 'FILE', 'file with the client token, mode 0600'),
  'token-in': choice('tokenIn', 'path', ['path', 'header'], 'where the token is sent'),
  /** Where nothing is written it depends on the token. */
  auth: choice('auth', undefined, ['none', 'token', 'iam'], 'how the endpoint knows us'),
  region: key(
    'region',
    undefined,
    text(/^[a-z0-9-]{1,32}$/, 'an AWS region, such as "eu-central-1"'),
    'REGION',
    'of the endpoint, for auth iam',
  ),
  route: key(
    'routes',
    [],
    route,
    'SUFFIX=TARGET',
    'who answers names below a suffix: doh, system, https://…, udp://ADDRESS[:PORT]',
  ),
  fallback: choice(
    'fallback',
    'system',
    ['system', 'none'],
    "who answers names that are not the mesh's while the endpoint is down",
  ),
  capture: choice('capture', 'none', ['none', 'resolver', 'nft'], 'how the queries of this host come here'),
  bridge: key('bridges', [], interfaceName, 'INTERFACE', 'serve containers behind it, too'),
  'exempt-user': key('exemptUsers', [], userName, 'USER', 'whose queries are not captured'),
  vips: choice('vips', 'auto', ['auto', 'nft', 'off'], 'whether virtual IPs are carried'),
  'state-dir': key('stateDir', '/var/lib/meshdoh', absolutePath, 'FOLDER', 'what has to survive a reboot'),
  'cache-bytes': key(
    'cacheBytes',
    8 * 1024 * 1024,
    wholeNumber('a whole number of octets', 65_536, 2 ** 32),
    'OCTETS',
    'memory of the answer cache',
  ),
  'table-interval': key(
    'tableIntervalMs',
    60_000,
    durationWithin(1000, 24 * HOUR_MS, 'a duration from 1s to 24h'),
    'DURATION',
    "between two looks at the mesh's table",
  ),
  'stale-max': key(
    'staleMaxMs',
    HOUR_MS,
    durationWithin(0, HOUR_MS, 'a duration of 1h at most'),
    'DURATION',
    'how long an answer may serve after its end, when nobody answers',
  ),
  'metrics-listen': key(
    'metricsListen',
    { address: '127.0.0.1', port: 15054 },
    metricsAddress,
    'ADDRESS:PORT',
    '/metrics and /healthz, or "off"',
  ),
  user: key('user', 'meshdoh', userName, 'USER', 'whom install runs the shim as'),
  log: choice('log', 'info', ['quiet', 'info', 'debug'], 'what is told'),
} satisfies Readonly<Record<string, KeyEntry>>;

export type ShimKey = keyof typeof SHIM_KEYS;

export const SHIM_KEY_NAMES = Object.keys(SHIM_KEYS) as readonly ShimKey[];

export const isShimKey = (name: string): name is ShimKey => Object.hasOwn(SHIM_KEYS, name);
