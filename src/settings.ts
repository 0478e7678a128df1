import type { DomainName } from './dns/name.ts';
import { durationText } from './settings/duration.ts';
import { DEFAULTS, KEYS, type Key, READERS, type Values } from './settings/keys.ts';
import { type ListenAddress, listenText } from './settings/listen-address.ts';
import { checkTogether } from './settings/rules.ts';
import { collect, type Given, type SettingSources, settingError } from './settings/sources.ts';
import type { Routes, Upstream } from './settings/upstream.ts';
import type { View } from './table/view.ts';

export type { ListenAddress } from './settings/listen-address.ts';
export type { SettingSources } from './settings/sources.ts';
export type { Routes, Upstream } from './settings/upstream.ts';

/** Where the registry is kept. */
export type Store =
  | { readonly kind: 'memory' }
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'dynamodb'; readonly table: string; readonly region?: string; readonly endpoint?: string };

/** What an operator can set, validated. */
export interface Settings {
  readonly listen: ListenAddress;
  readonly store: Store;
  /** `none`: whoever reaches the listener, on loopback only, may ask and administer. */
  readonly auth: 'tokens' | 'none';
  /** Of clients without a credential of their own. */
  readonly view: View;
  /** Prefixes that VIPs come from. */
  readonly pools: { readonly ipv4: string; readonly ipv6: string };
  /** How long a released VIP is kept from everybody but its last holder. */
  readonly tombstoneMs: number;
  /** Seconds. */
  readonly ttl: { readonly vip: number; readonly owned: number; readonly negative: number };
  /** Names at or below them are never forwarded, unless a route names them. */
  readonly privateZones: readonly DomainName[];
  /** In order of preference. */
  readonly upstreams: readonly Upstream[];
  /** Upstreams of names at or below a suffix; the longest suffix wins. */
  readonly routes: Routes;
  /** Deadline of one attempt at one upstream. */
  readonly upstreamTimeoutMs: number;
  /** Deadline of a whole query. */
  readonly queryTimeoutMs: number;
  /** How long an answer, or the registry's state, serves after it should have been renewed. */
  readonly staleMaxMs: number;
  readonly cacheBytes: number;
  /** How long what was read from the registry needs no second look. */
  readonly registryCacheMs: number;
}

export interface SettingError {
  /** `ttl.vip`, `upstreams[1].url`; an unknown variable's own name; empty for the whole file. */
  readonly setting: string;
  readonly value: unknown;
  /** The file, the variable or the flag that it comes from. */
  readonly origin: string;
  /** One line that says all of it, and what is allowed. */
  readonly message: string;
}

export type ResolvedSettings =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly errors: readonly SettingError[] };

function settingsOf(values: Values): Settings {
  const { tombstone, table, region, endpoint, ...rest } = values;
  return {
    listen: rest.listen,
    store: storeOf(values),
    auth: rest.auth,
    view: {
      namespace: rest['view.namespace'],
      searchDomains: rest['view.searchDomains'],
      clusterDomain: rest['view.clusterDomain'],
      families: rest['view.families'],
      vips: rest['view.vips'],
      forwardUnknown: rest['view.forwardUnknown'],
    },
    pools: { ipv4: rest['pools.ipv4'], ipv6: rest['pools.ipv6'] },
    tombstoneMs: tombstone,
    ttl: { vip: rest['ttl.vip'], owned: rest['ttl.owned'], negative: rest['ttl.negative'] },
    privateZones: rest.privateZones,
    upstreams: rest.upstreams,
    routes: rest.routes,
    upstreamTimeoutMs: rest.upstreamTimeoutMs,
    queryTimeoutMs: rest.queryTimeoutMs,
    staleMaxMs: rest.staleMaxMs,
    cacheBytes: rest.cacheBytes,
    registryCacheMs: rest.registryCacheMs,
  };
}

function storeOf({ store, table, region, endpoint }: Values): Store {
  if (store === 'memory') return { kind: 'memory' };
  if (store !== 'dynamodb') return { kind: 'folder', folder: store };
  return {
    kind: 'dynamodb',
    table,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

export const defaults: Settings = settingsOf(DEFAULTS);

/** A default as somebody would have written it. */
function defaultText(key: Key): unknown {
  if (key === 'tombstone') return durationText(DEFAULTS.tombstone);
  return key === 'listen' ? listenText(DEFAULTS.listen) : DEFAULTS[key];
}

/** The defaults, under the file, under the environment (`MESHDOH_*`), under the flags; or everything that is wrong with them. */
export function resolveSettings(sources: SettingSources): ResolvedSettings {
  const { given, errors } = collect(sources);
  const readings = KEYS.flatMap((key) => {
    const from = given.get(key);
    return from === undefined ? [] : [{ key, from, reading: READERS[key](from.value) }];
  });
  const misread = readings.flatMap(({ key, from: { origin }, reading }) =>
    reading.ok
      ? []
      : reading.problems.map(({ at, value, expected }) => settingError(`${key}${at}`, { value, origin }, expected)),
  );
  const values = Object.fromEntries(readings.flatMap(({ key, reading }) => (reading.ok ? [[key, reading.value]] : [])));
  const settings = settingsOf({ ...DEFAULTS, ...(values as Partial<Values>) });
  const givenFor = (key: Key): Given => given.get(key) ?? { value: defaultText(key), origin: 'default' };
  const together = misread.length > 0 ? [] : checkTogether(settings, givenFor);
  const all = [...errors, ...misread, ...together];
  return all.length > 0 ? { ok: false, errors: all } : { ok: true, settings };
}
