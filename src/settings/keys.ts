import type { DomainName } from '../dns/name.ts';
import type { Family } from '../table/view.ts';
import { createPool, PoolPrefixError } from '../vip/pool.ts';
import { duration } from './duration.ts';
import { type ListenAddress, listenAddress } from './listen-address.ts';
import { domainName, oneOf, type Reader, read, refuse, refuseBecause, setOf, text, wholeNumber } from './reading.ts';
import { type Routes, routes, type Upstream, upstreams } from './upstream.ts';

/** Every setting that can be given, by its key; those of a group as `group.key`. */
export interface Values {
  readonly listen: ListenAddress;
  readonly metrics: ListenAddress | undefined;
  readonly store: string;
  readonly table: string;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  readonly auth: 'tokens' | 'none';
  readonly 'view.namespace': string;
  readonly 'view.searchDomains': readonly DomainName[];
  readonly 'view.clusterDomain': DomainName;
  readonly 'view.families': readonly Family[];
  readonly 'view.vips': boolean | 'proxy';
  readonly 'view.forwardUnknown': boolean;
  readonly 'pools.ipv4': string;
  readonly 'pools.ipv6': string;
  readonly tombstone: number;
  readonly 'ttl.vip': number;
  readonly 'ttl.owned': number;
  readonly 'ttl.negative': number;
  readonly privateZones: readonly DomainName[];
  readonly upstreams: readonly Upstream[];
  readonly routes: Routes;
  readonly upstreamTimeoutMs: number;
  readonly queryTimeoutMs: number;
  readonly staleMaxMs: number;
  readonly cacheBytes: number;
  readonly registryCacheMs: number;
}

export type Key = keyof Values;

/** What a timer can wait for; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const timeout = wholeNumber('a whole number of milliseconds', 50, LONGEST_TIMER_MS);
const milliseconds = wholeNumber('a whole number of milliseconds', 0, LONGEST_TIMER_MS);
const ttl = wholeNumber('a whole number of seconds', 1, 86_400);

/** What any other prefix can be paired with. */
const PARTNERS = { ipv4: '0.0.0.0/29', ipv6: '::/64' };

/** One prefix by itself; whether the two of a pool match is a rule between settings. */
function poolPrefix(family: Family): Reader<string> {
  return (value) => {
    if (typeof value !== 'string') return refuse(value, `an ${family === 'ipv4' ? 'IPv4' : 'IPv6'} prefix`);
    try {
      return read(createPool({ ...PARTNERS, [family]: value })[family]);
    } catch (error) {
      if (error instanceof PoolPrefixError) return refuseBecause(value, error.message);
      throw error;
    }
  };
}

export const READERS: { readonly [K in Key]: Reader<Values[K]> } = {
  listen: listenAddress,
  metrics: listenAddress,
  // A folder is told from a mistyped word by its slash or dot.
  store: text(/^(?:memory|dynamodb|(?=[./\\~]|.*[/\\]).+)$/, '"memory", "dynamodb" or a folder, such as "./data"'),
  table: text(/^[\w.-]{3,255}$/, 'a DynamoDB table name: 3 to 255 letters, digits, "_", "." or "-"'),
  region: text(/^[a-z0-9-]{1,32}$/, 'an AWS region, such as "eu-central-1"'),
  endpoint: (value) =>
    typeof value === 'string' && /^https?:$/.test(URL.parse(value)?.protocol ?? '')
      ? read(value)
      : refuse(value, 'the URL of a DynamoDB endpoint, such as "http://127.0.0.1:8000"'),
  auth: oneOf('tokens', 'none'),
  'view.namespace': text(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'a namespace: lower-case letters, digits and "-"'),
  'view.searchDomains': setOf(domainName),
  'view.clusterDomain': domainName,
  'view.families': setOf(oneOf('ipv4', 'ipv6')),
  'view.vips': oneOf(true, false, 'proxy'),
  'view.forwardUnknown': oneOf(true, false),
  'pools.ipv4': poolPrefix('ipv4'),
  'pools.ipv6': poolPrefix('ipv6'),
  tombstone: duration,
  'ttl.vip': ttl,
  'ttl.owned': ttl,
  'ttl.negative': ttl,
  privateZones: setOf(domainName),
  upstreams,
  routes,
  upstreamTimeoutMs: timeout,
  queryTimeoutMs: timeout,
  staleMaxMs: milliseconds,
  cacheBytes: wholeNumber('a whole number of octets', 0, Number.MAX_SAFE_INTEGER),
  registryCacheMs: milliseconds,
};

export const KEYS = Object.keys(READERS) as readonly Key[];

const name = (text: string): DomainName => text as DomainName;

export const DEFAULTS: Values = {
  listen: { host: '127.0.0.1', port: 8053 },
  metrics: undefined,
  store: 'memory',
  table: 'meshdoh',
  region: undefined,
  endpoint: undefined,
  auth: 'tokens',
  'view.namespace': 'default',
  'view.searchDomains': [],
  'view.clusterDomain': name('cluster.local'),
  'view.families': ['ipv4'],
  'view.vips': true,
  'view.forwardUnknown': true,
  'pools.ipv4': '240.240.0.0/16',
  'pools.ipv6': '2001:2::/48',
  tombstone: 24 * 3_600_000,
  'ttl.vip': 300,
  'ttl.owned': 30,
  'ttl.negative': 30,
  privateZones: [name('cluster.local'), name('internal')],
  upstreams: [
    { url: 'https://cloudflare-dns.com/dns-query', bootstrap: ['1.1.1.1', '1.0.0.1'] },
    { url: 'https://dns.quad9.net/dns-query', bootstrap: ['9.9.9.9', '149.112.112.112'] },
  ],
  routes: new Map(),
  upstreamTimeoutMs: 700,
  queryTimeoutMs: 1500,
  staleMaxMs: 3_600_000,
  cacheBytes: 32 * 1024 * 1024,
  registryCacheMs: 5000,
};
