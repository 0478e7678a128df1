import type { MeshTable } from '../../table/mesh-table.ts';
import type { HostFacts, ResolvedFacts } from './host-facts.ts';

/**
 * What `resolvectl domain`, `dns` or `dnssec` print, by scope: `Global: ~.`, `Link 2 (eth0): corp.example ~x`. A line
 * that names no scope goes on with the one before.
 */
export function parseResolvectl(text: string): { readonly scope: string; readonly values: readonly string[] }[] {
  const scopes: { scope: string; values: string[] }[] = [];
  for (const line of text.split('\n')) {
    const [, global, link, rest = line] = /^\s*(?:(Global)|Link \d+ \(([^)]+)\)):\s*(.*)$/.exec(line) ?? [];
    const scope = link ?? global;
    const values = rest
      .trim()
      .split(/\s+/)
      .filter((value) => value !== '');
    if (scope !== undefined) scopes.push({ scope, values });
    else scopes.at(-1)?.values.push(...values);
  }
  return scopes;
}

/** From the three texts of `resolvectl`. */
export function resolvedFacts(
  texts: { domain: string; dns: string; dnssec: string },
  hasDropIn: boolean,
): ResolvedFacts {
  const globalOf = (text: string) => parseResolvectl(text).find(({ scope }) => scope === 'Global')?.values ?? [];
  const links = parseResolvectl(texts.domain).filter(({ scope }) => scope !== 'Global');
  return {
    dnssec: globalOf(texts.dnssec)[0] ?? 'no',
    globalServers: globalOf(texts.dns),
    links: links.map(({ scope: name, values: domains }) => ({ name, domains })),
    hasDropIn,
  };
}

interface IpRoute {
  readonly dst?: unknown;
  readonly dev?: unknown;
}

/** From `ip -json route`; without the default route, and those to loopback, which virtual IPs have themselves. */
export function parseRoutes(json: string, hostBits: 32 | 128): HostFacts['routes'] {
  const routes: unknown = json.trim() === '' ? [] : JSON.parse(json);
  return (Array.isArray(routes) ? (routes as IpRoute[]) : []).flatMap(({ dst, dev }) => {
    if (typeof dst !== 'string' || dst === 'default' || typeof dev !== 'string' || dev === 'lo') return [];
    return [{ destination: dst.includes('/') ? dst : `${dst}/${hostBits}`, device: dev }];
  });
}

/** `NTPSynchronized=yes` of `timedatectl show`; undefined where nobody says. */
export function parseSynchronised(text: string): boolean | undefined {
  const [, value] = /^NTPSynchronized=(yes|no)$/m.exec(text) ?? [];
  return value === undefined ? undefined : value === 'yes';
}

/** The part of a table that the checks look at; nothing where there is none. */
export const meshFacts = (table: MeshTable | undefined): HostFacts['mesh'] => ({
  hosts: table?.hosts.map(({ host }) => host) ?? [],
  zones: table?.privateZones ?? [],
  pools: table?.pools.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]) ?? [],
});
