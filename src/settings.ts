import type { DomainName } from './dns/name.ts';
import { durationText } from './settings/duration.ts';
import { DEFAULTS, type Key, READERS, type Values } from './settings/keys.ts';
import type { ListenAddress } from './settings/listen-address.ts';
import { problemsAt, type Reading } from './settings/reading.ts';
import { checkRules } from './settings/rules.ts';
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
  /** Of a listener for scrapers on this machine, which asks for no credential; undefined: there is none. */
  readonly metrics?: ListenAddress;
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
  return {
    listen: values.listen,
    ...(values.metrics === undefined ? {} : { metrics: values.metrics }),
    store: storeOf(values),
    auth: values.auth,
    view: {
      namespace: values['view.namespace'],
      searchDomains: values['view.searchDomains'],
      clusterDomain: values['view.clusterDomain'],
      families: values['view.families'],
      vips: values['view.vips'],
      forwardUnknown: values['view.forwardUnknown'],
    },
    pools: { ipv4: values['pools.ipv4'], ipv6: values['pools.ipv6'] },
    tombstoneMs: values.tombstone,
    ttl: { vip: values['ttl.vip'], owned: values['ttl.owned'], negative: values['ttl.negative'] },
    privateZones: values.privateZones,
    upstreams: values.upstreams,
    routes: values.routes,
    upstreamTimeoutMs: values.upstreamTimeoutMs,
    queryTimeoutMs: values.queryTimeoutMs,
    staleMaxMs: values.staleMaxMs,
    cacheBytes: values.cacheBytes,
    registryCacheMs: values.registryCacheMs,
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
const defaultText = (key: Key): unknown => (key === 'tombstone' ? durationText(DEFAULTS.tombstone) : DEFAULTS[key]);

/** What somebody gave for one key, read. */
interface Entry {
  readonly key: Key;
  readonly given: Given;
  readonly reading: Reading<unknown>;
}

const errorsOf = ({ key, given: { origin }, reading }: Entry): SettingError[] =>
  problemsAt(key, reading).map(({ at, value, reason }) => settingError(at, { value, origin }, reason));

/**
 * The defaults, under the file, under the environment (`MESHDOH_QUERY_TIMEOUT_MS`, `MESHDOH_TTL_VIP`, …), under the
 * flags; or everything that is wrong with what was given.
 */
export function resolveSettings(sources: SettingSources): ResolvedSettings {
  const { given, errors } = collect(sources);
  const entries: Entry[] = [...given].map(([key, given]) => ({ key, given, reading: READERS[key](given.value) }));
  const values = Object.fromEntries(entries.flatMap(({ key, reading }) => (reading.ok ? [[key, reading.value]] : [])));
  const misread = new Set(entries.filter(({ reading }) => !reading.ok).map(({ key }) => key));
  const settings = settingsOf({ ...DEFAULTS, ...(values as Partial<Values>) });
  const givenFor = (key: Key): Given => given.get(key) ?? { value: defaultText(key), origin: 'default' };
  const all = [...errors, ...entries.flatMap(errorsOf), ...checkRules(settings, misread, givenFor)];
  return all.length > 0 ? { ok: false, errors: all } : { ok: true, settings };
}
