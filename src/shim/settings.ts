import type { ParseArgsOptionDescriptor } from 'node:util';
import { nearestName } from '../settings/nearest-name.ts';
import { shown } from '../settings/reading.ts';
import type { Route } from './route.ts';
import { isShimKey, type LogLevel, SHIM_KEY_NAMES, SHIM_KEYS, type ShimKey } from './settings-keys.ts';
import type { SocketAddress } from './socket-address.ts';

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

/** Below it a port needs a capability. */
const UNPRIVILEGED_PORT = 15053;
const DNS_PORT = 53;

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
  SHIM_KEY_NAMES.map((key) => [key, { type: 'string', multiple: true }]),
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
    else if (!isShimKey(key)) errors.push(`${origin}: ${unknownKey(key)}`);
    else given.push({ key, value, origin });
  }
  return { given, errors };
}

/** Its value is not shown: it could be somebody's secret. */
function unknownKey(key: string): string {
  const nearest = nearestName(key, SHIM_KEY_NAMES);
  return `"${shown(key).slice(1, -1)}" is unknown: ${nearest === undefined ? `known are ${SHIM_KEY_NAMES.join(', ')}` : `did you mean "${nearest}"?`}`;
}

const flagsOf = (flags: Readonly<Record<string, unknown>>): ShimGiven[] =>
  SHIM_KEY_NAMES.flatMap((key) =>
    [flags[key] ?? []].flat().map((value) => ({ key, value: String(value), origin: `--${key}` })),
  );

/** Of a key that may be given once, the second value would win in silence. */
function repeated(given: readonly ShimGiven[]): string[] {
  return given.flatMap((one, index) => {
    const earlier = given.slice(0, index).find(({ key }) => key === one.key);
    if (earlier === undefined || SHIM_KEYS[one.key].repeatable) return [];
    return [errorText(one, `expected once, and ${earlier.origin} has given it already`)];
  });
}

function settingsOf(read: ReadonlyMap<ShimKey, unknown[]>, privileged: boolean): ShimSettings {
  const values = SHIM_KEY_NAMES.map((key) => {
    const { setting, unset, repeatable } = SHIM_KEYS[key];
    const given = read.get(key);
    return [setting, given === undefined ? unset : repeatable ? given : given[0]];
  });
  const settings = Object.fromEntries(values) as ShimSettings;
  const { tokenFile, auth = tokenFile === undefined ? 'none' : 'token', listen } = settings;
  const port = privileged ? DNS_PORT : UNPRIVILEGED_PORT;
  const loopback = ['127.0.0.1', '::1'].map((address) => ({ address, port }));
  return { ...settings, auth, listen: listen.length > 0 ? listen : loopback };
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
