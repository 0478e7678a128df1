import { isWithin, parsePrefix } from '../../dns/ip-address.ts';
import { type Check, problem, warning } from './finding.ts';
import type { HostFacts } from './host-facts.ts';

/** Halves and quarters of all addresses: a default route, as VPNs write it. */
const MOST_DEFAULT_BITS = 3;

export const meshFindings: Check = function* ({ settings, resolved, mesh, nft, vips, routes }) {
  const { dnssec = 'no' } = resolved ?? {};
  if (settings.capture !== 'none' && dnssec !== 'no') {
    yield problem(
      'dnssec',
      `systemd-resolved validates (DNSSEC=${dnssec}), and names that exist only in the mesh have no signatures`,
      `write ${mesh.zones.join(' and ')} to /etc/dnssec-trust-anchors.d/meshdoh.negative, one a line, and restart systemd-resolved`,
    );
  }
  const local = mesh.hosts.find((host) => host.endsWith('.local') && !host.endsWith('.cluster.local'));
  if (local !== undefined) {
    yield warning(
      'local-names',
      `${local} ends in ".local": such names are asked on the link by multicast DNS, not of a resolver (RFC 6762)`,
      'register it below another suffix, such as ".internal"',
    );
  }
  const single = mesh.hosts.find((host) => !host.includes('.'));
  if (single !== undefined) {
    yield warning(
      'single-label',
      `"${single}" has one label: systemd-resolved asks no DNS server for such names, and others append their search domains`,
      'register it with a suffix, and give views or hosts that suffix as a search domain',
    );
  }
  if (!nft) yield* nftMissing(settings);
  else if (vips?.kind === 'failed') {
    yield problem(
      'vips-failed',
      `virtual IPs are not carried: ${vips.reason}`,
      'mend that: the shim tries again every 5 s; or set vips = off, to be answered with the addresses of endpoints',
    );
  }
  if (settings.vips !== 'off') yield* clashes(routes, mesh.pools);
};

function* nftMissing({ capture, vips }: HostFacts['settings']) {
  const lost = capture === 'nft' ? 'nothing is captured' : vips === 'nft' ? 'virtual IPs lead nowhere' : undefined;
  const level = lost === undefined ? warning : problem;
  if (lost === undefined && vips === 'off') return;
  yield level(
    'nft-missing',
    `the nft command is not there: ${lost ?? 'hosts of the mesh are answered with the addresses of their endpoints, not with virtual IPs'}`,
    'install the package nftables',
  );
}

/** A route within a pool is in the way of its VIPs; one to more than a pool loses what the pool covers. */
function* clashes(routes: HostFacts['routes'], pools: readonly string[]) {
  for (const pool of pools) {
    for (const { destination, device } of routes) {
      const what = `virtual IPs are taken from ${pool}, and this host has a route to ${destination} by ${device}`;
      const remedy = 'give the mesh another pool (settings "pools" of the endpoint)';
      if (isPartOf(destination, pool)) yield problem('vip-route', what, `${remedy}, or take that route away`);
      else if (isPartOf(pool, destination) && (parsePrefix(destination)?.bits ?? 0) > MOST_DEFAULT_BITS) {
        yield warning('vip-route', `${what}, but does not reach that part of it`, `if there is anything, ${remedy}`);
      }
    }
  }
}

function isPartOf(inner: string, outer: string): boolean {
  const [a, b] = [parsePrefix(inner), parsePrefix(outer)];
  return a !== undefined && b !== undefined && a.bits >= b.bits && isWithin(a.base, b);
}
