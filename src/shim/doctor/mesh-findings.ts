import { isWithin, parsePrefix } from '../../dns/ip-address.ts';
import { type Finding, problem, warning, when } from './finding.ts';
import type { HostFacts } from './host-facts.ts';

export const dnssec = ({ resolved, mesh, settings }: HostFacts): readonly Finding[] =>
  when(settings.capture !== 'none' && ['yes', 'allow-downgrade'].includes(resolved?.dnssec ?? 'no'), () =>
    problem(
      'dnssec',
      `systemd-resolved validates (DNSSEC=${resolved?.dnssec}), and names that exist only in the mesh have no signatures`,
      `write ${mesh.zones.join(' and ')} to /etc/dnssec-trust-anchors.d/meshdoh.negative, one a line, and restart systemd-resolved`,
    ),
  );

export function localNames({ mesh }: HostFacts): readonly Finding[] {
  const hosts = mesh.hosts.filter((host) => host.endsWith('.local') && !host.endsWith('.cluster.local'));
  return when(hosts.length > 0, () =>
    warning(
      'local-names',
      `${hosts[0]} ends in ".local": such names are asked on the link by multicast DNS, not of a resolver (RFC 6762)`,
      'register it below another suffix, such as ".internal"',
    ),
  );
}

export function singleLabels({ mesh }: HostFacts): readonly Finding[] {
  const hosts = mesh.hosts.filter((host) => !host.includes('.'));
  return when(hosts.length > 0, () =>
    warning(
      'single-label',
      `"${hosts[0]}" has one label: systemd-resolved asks no DNS server for such names, and others append their search domains`,
      'register it with a suffix, and give views or hosts that suffix as a search domain',
    ),
  );
}

export const missingNft = ({ nft, settings }: HostFacts): readonly Finding[] =>
  when(!nft && (settings.capture === 'nft' || settings.vips !== 'off'), () => {
    const what = 'the nft command is not there';
    const remedy = 'install the package nftables';
    return settings.capture === 'nft' || settings.vips === 'nft'
      ? problem(
          'nft-missing',
          `${what}: ${settings.capture === 'nft' ? 'nothing is captured' : 'virtual IPs lead nowhere'}`,
          remedy,
        )
      : warning(
          'nft-missing',
          `${what}: hosts of the mesh are answered with the addresses of their endpoints, not with virtual IPs`,
          remedy,
        );
  });

export const failedVips = ({ vips, nft }: HostFacts): readonly Finding[] =>
  when(nft && vips?.kind === 'failed', () =>
    problem(
      'vips-failed',
      `virtual IPs are not carried: ${vips?.reason}`,
      'mend that: the shim tries again every 5 s; or set vips = off, to be answered with the addresses of endpoints',
    ),
  );

/** Halves and quarters of all addresses: a default route, as VPNs write it. */
const MOST_DEFAULT_BITS = 3;

/** A route within a pool is in the way of its VIPs; one to more than a pool loses what the pool covers. */
export function vipRoutes({ routes, mesh, settings }: HostFacts): readonly Finding[] {
  if (settings.vips === 'off') return [];
  return mesh.pools.flatMap((pool) =>
    routes.flatMap(({ destination, device }) => {
      const route = `a route to ${destination} by ${device}`;
      if (isPartOf(destination, pool)) {
        return problem(
          'vip-route',
          `virtual IPs are taken from ${pool}, and this host has ${route}`,
          'give the mesh another pool (settings "pools" of the endpoint), or take that route away',
        );
      }
      return when(isPartOf(pool, destination) && (parsePrefix(destination)?.bits ?? 0) > MOST_DEFAULT_BITS, () =>
        warning(
          'vip-route',
          `virtual IPs are taken from ${pool}: this host has ${route}, but does not reach that part of it`,
          'if there is anything, give the mesh another pool (settings "pools" of the endpoint)',
        ),
      );
    }),
  );
}

function isPartOf(inner: string, outer: string): boolean {
  const [a, b] = [parsePrefix(inner), parsePrefix(outer)];
  return a !== undefined && b !== undefined && a.bits >= b.bits && isWithin(a.base, b);
}
