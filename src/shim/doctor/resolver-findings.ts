import { matches } from '../capture/bridges.ts';
import { loopReason } from '../capture/loop.ts';
import { silenceText } from '../capture/resolver-plan.ts';
import { type Check, problem, warning } from './finding.ts';
import type { HostFacts, ResolvedFacts } from './host-facts.ts';

/** Whether queries of this host come to the shim, and to nobody else. */
export const captureFindings: Check = function* ({ answers, captured, looping, settings, nameservers, resolved }) {
  if (!answers) {
    yield problem(
      'shim-silent',
      `${silenceText(settings.listen)} over UDP and TCP`,
      'start it ("systemctl start meshdoh-shim") and read why it ended ("journalctl -u meshdoh-shim")',
    );
  }
  const captures = settings.capture !== 'none';
  if (captures && looping.length > 0) {
    const remedy = 'point that resolver at the servers of this network, then "meshdoh-shim capture"';
    yield problem('loop', loopReason(looping), remedy);
  }
  // While the shim is silent it is right that DNS goes elsewhere.
  if (captures && !captured && answers) {
    yield problem(
      'not-captured',
      `programs of this host do not ask the shim: /etc/resolv.conf says ${nameservers.join(', ') || 'nothing'}, and a name that only the shim knows is not found`,
      '"meshdoh-shim capture" as root puts it right; if it happens again, somebody else writes /etc/resolv.conf: DHCP client, NetworkManager, cloud-init or a VPN',
    );
  }
  const own = new Set(settings.listen.map(({ address }) => address));
  const lists = { '/etc/resolv.conf': nameservers, 'systemd-resolved': resolved?.globalServers ?? [] };
  for (const [where, servers] of Object.entries(lists)) {
    const others = servers.filter((server) => !own.has(withoutPort(server)));
    if (others.length === 0 || others.length === servers.length) continue;
    const named = others.join(', ');
    yield problem(
      'second-resolver',
      `${where} names ${named} beside the shim: some programs ask both at once, others stay with the second after one slow answer, and names of the mesh leave the host`,
      `take ${named} out of it; the shim itself asks the host's other resolvers when it must`,
    );
  }
};

/** `127.0.0.1:15053#name`, `[::1]:15053` */
const withoutPort = (server: string): string =>
  server.replace(/#.*$/, '').replace(/^(?:\[(.*)\]|([0-9.]+))(?::\d+)?$/, '$1$2');

/** What of this host's resolvers, and of Docker's, keeps names from being answered. */
export const resolverFindings: Check = function* ({ original, settings, resolved, nssResolve, mesh, dockerBridges }) {
  const asksSystem = settings.fallback === 'system' || settings.routes.some(({ target }) => target.kind === 'system');
  if (asksSystem && original.servers.length === 0) {
    yield problem(
      'no-original-resolver',
      'no resolver is known that this host had before the shim, so nobody answers what is left to "system"',
      'name one with "route = .=udp://ADDRESS", or run "meshdoh-shim release" and "meshdoh-shim capture" once its DHCP client has one',
    );
  }
  if (settings.capture === 'none') return;
  yield* resolvedDomains(resolved, mesh);
  const byNft = settings.capture === 'nft';
  if (byNft && nssResolve && resolved?.hasDropIn === false) {
    yield problem(
      'nss-resolve',
      'programs ask systemd-resolved without a packet that nft could see ("resolve" in /etc/nsswitch.conf)',
      '"meshdoh-shim capture" as root points systemd-resolved at the shim as well',
    );
  }
  const served = byNft ? settings.bridges : [];
  const left = dockerBridges.filter((name) => !served.some((pattern) => matches(name, pattern)));
  if (left.length === 0) return;
  yield warning(
    'docker',
    `containers behind ${left.join(', ')} do not ask the shim: Docker leaves nameservers on loopback out, for a container has a loopback of its own`,
    byNft
      ? `add ${left.map((name) => `"bridge = ${name}"`).join(', ')}`
      : 'use "capture = nft" with "bridge = docker0" (and "bridge = br-*"), or have the shim listen on the address of the bridge and name that as "dns" in /etc/docker/daemon.json',
  );
};

/** The longest match wins in systemd-resolved, and at the same length both are asked. */
function* resolvedDomains(resolved: ResolvedFacts | undefined, mesh: HostFacts['mesh']) {
  for (const { name, domains } of resolved?.links ?? []) {
    for (const domain of domains) {
      const suffix = domain.replace(/^~/, '').replace(/\.$/, '');
      const lost = suffix === '' ? undefined : mesh.hosts.find((host) => isBelow(host.replace(/^\*\./, ''), suffix));
      if (lost === undefined && !mesh.zones.includes(suffix)) continue;
      yield problem(
        'resolved-domain',
        `systemd-resolved asks the servers of link ${name} for names below "${suffix}", ${lost === undefined ? 'which is a zone' : `such as ${lost}`} of the mesh`,
        `take the domain from the link ("resolvectl domain ${name} …", or "UseDomains=" of its network), or register the hosts below another suffix`,
      );
    }
  }
}

const isBelow = (name: string, ancestor: string): boolean => name === ancestor || name.endsWith(`.${ancestor}`);
