import { isIP } from 'node:net';
import { isLoopback } from '../dns/loopback.ts';
import type { DomainName } from '../dns/name.ts';
import { allOf, domainName, entriesOf, list, problemsAt, type Reader, type Reading, read, refuse } from './reading.ts';

export interface Upstream {
  /** Of a DoH endpoint (RFC 8484): https, or http on loopback. */
  readonly url: string;
  /** IP addresses of the URL's host, so that no other resolver is needed to reach it; none: it is looked up. */
  readonly bootstrap: readonly string[];
}

/** Upstreams by suffix. */
export type Routes = ReadonlyMap<DomainName, readonly Upstream[]>;

const EXPECTED_URL = 'the https URL of a DoH endpoint with its path, such as "https://dns.example/dns-query"';

const upstreamUrl: Reader<string> = (value) => {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  const isPlain = url && url.pathname !== '/' && url.hash === '' && url.username === '' && url.password === '';
  if (!isPlain || !/^https?:$/.test(url.protocol) || /%7b/i.test(url.href)) return refuse(value, EXPECTED_URL);
  if (url.protocol === 'http:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, ''))) {
    return refuse(value, 'an https URL: http is for loopback only');
  }
  return read(url.href);
};

const ipAddress: Reader<string> = (value) =>
  typeof value === 'string' && isIP(value) > 0 ? read(value) : refuse(value, 'an IP address');

const bootstrapAddresses = list(ipAddress);

const EXPECTED_UPSTREAM = 'a URL, or a mapping of "url" and "bootstrap"';

/** `{ url, bootstrap }`, or the URL alone. */
const upstream: Reader<Upstream> = (value) => {
  const isUrl = typeof value === 'string' && !value.startsWith('{');
  const entries = isUrl ? [['url', value] as const] : entriesOf(value);
  if (!entries) return refuse(value, EXPECTED_UPSTREAM);
  const parts = new Map<string, unknown>(entries);
  const url = upstreamUrl(parts.get('url'));
  const bootstrap = bootstrapAddresses(parts.get('bootstrap') ?? []);
  const unknown = [...parts].filter(([name]) => name !== 'url' && name !== 'bootstrap');
  const problems = [
    ...problemsAt(isUrl ? '' : '.url', url),
    ...problemsAt('.bootstrap', bootstrap),
    ...unknown.map(([name, given]) => ({ at: `.${name}`, value: given, reason: `expected ${EXPECTED_UPSTREAM}` })),
  ];
  if (!url.ok || !bootstrap.ok || problems.length > 0) return { ok: false, problems };
  if (url.value.startsWith('http:') && !bootstrap.value.every(isLoopback)) {
    return refuse(value, 'loopback addresses as bootstrap of an http URL');
  }
  return read({ url: url.value, bootstrap: bootstrap.value });
};

export const upstreams: Reader<readonly Upstream[]> = list(upstream);

/** `{ "corp.example.org": ["https://…/dns-query"] }` */
export const routes: Reader<Routes> = (value) => {
  const entries = entriesOf(value);
  if (!entries) return refuse(value, 'a mapping of suffixes to lists of upstreams');
  const readings = allOf(entries.map(route), (index) => `.${entries[index]?.[0]}`);
  if (!readings.ok) return readings;
  const routes = new Map(readings.value);
  return routes.size === entries.length ? read(routes) : refuse(value, 'each suffix once, whatever its case');
};

function route([suffix, value]: [string, unknown]): Reading<readonly [DomainName, readonly Upstream[]]> {
  const name = domainName(suffix);
  const targets = upstreams(value);
  if (name.ok && targets.ok) return read([name.value, targets.value]);
  return { ok: false, problems: [...problemsAt('', name), ...problemsAt('', targets)] };
}
