import { matches } from '../capture/bridges.ts';
import { loopReason } from '../capture/loop.ts';
import { silenceText } from '../capture/resolver-plan.ts';
import { type Finding, problem, warning, when } from './finding.ts';
import type { HostFacts } from './host-facts.ts';

export const silence = ({ answers, settings }: HostFacts): readonly Finding[] =>
  when(!answers, () =>
    problem(
      'shim-silent',
      `${silenceText(settings.listen)} over UDP and TCP`,
      'start it ("systemctl start meshdoh-shim") and read why it ended ("journalctl -u meshdoh-shim")',
    ),
  );

export const loop = ({ looping, settings }: HostFacts): readonly Finding[] =>
  when(looping.length > 0 && settings.capture !== 'none', () =>
    problem(
      'loop',
      loopReason(looping),
      'point that resolver at the servers of this network, then "meshdoh-shim capture"',
    ),
  );

/** Not for a host whose shim is silent: then it is right that its DNS goes elsewhere. */
export const notCaptured = ({ captured, answers, settings, nameservers }: HostFacts): readonly Finding[] =>
  when(!captured && answers && settings.capture !== 'none', () =>
    problem(
      'not-captured',
      `programs of this host do not ask the shim: /etc/resolv.conf says ${nameservers.join(', ') || 'nothing'}, and a name that only the shim knows is not found`,
      '"meshdoh-shim capture" as root puts it right; if it happens again, somebody else writes /etc/resolv.conf: DHCP client, NetworkManager, cloud-init or a VPN',
    ),
  );

export function secondResolver({ settings, nameservers, resolved }: HostFacts): readonly Finding[] {
  const own = new Set(settings.listen.map(({ address }) => address));
  const lists = [
    { where: '/etc/resolv.conf', servers: nameservers },
    { where: 'systemd-resolved', servers: resolved?.globalServers ?? [] },
  ];
  return lists.flatMap(({ where, servers }) => {
    const others = servers.filter((server) => !own.has(withoutPort(server)));
    return when(others.length > 0 && others.length < servers.length, () =>
      problem(
        'second-resolver',
        `${where} names ${others.join(', ')} beside the shim: some programs ask both at once, others stay with the second after one slow answer, and names of the mesh leave the host`,
        `take ${others.join(', ')} out of it; the shim itself asks the host's other resolvers when it must`,
      ),
    );
  });
}

/** `127.0.0.1:15053#name`, `[::1]:15053` */
const withoutPort = (server: string): string =>
  server
    .replace(/#.*$/, '')
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^([0-9.]+):\d+$/, '$1');

export const noOriginal = ({ original, settings }: HostFacts): readonly Finding[] => {
  const asks = settings.fallback === 'system' || settings.routes.some(({ target }) => target.kind === 'system');
  return when(asks && original.servers.length === 0, () =>
    problem(
      'no-original-resolver',
      'no resolver is known that this host had before the shim, so nobody answers what is left to "system"',
      'name one with "route = .=udp://ADDRESS", or run "meshdoh-shim release" and "meshdoh-shim capture" once its DHCP client has one',
    ),
  );
};

const isBelow = (name: string, ancestor: string): boolean => name === ancestor || name.endsWith(`.${ancestor}`);

/** The longest match wins in systemd-resolved, and at the same length both are asked. */
export function resolvedDomains({ resolved, mesh, settings }: HostFacts): readonly Finding[] {
  if (settings.capture === 'none') return [];
  return (resolved?.links ?? []).flatMap(({ name, domains }) =>
    domains.flatMap((domain) => {
      const suffix = domain.replace(/^~/, '').replace(/\.$/, '');
      const lost = suffix === '' ? [] : mesh.hosts.filter((host) => isBelow(host.replace(/^\*\./, ''), suffix));
      const zone = mesh.zones.includes(suffix);
      return when(lost.length > 0 || zone, () =>
        problem(
          'resolved-domain',
          `systemd-resolved asks the servers of link ${name} for names below "${suffix}"${lost.length > 0 ? `, such as ${lost[0]} of the mesh` : ', which is a zone of the mesh'}`,
          `take the domain from the link ("resolvectl domain ${name} …", or "UseDomains=" of its network), or register the hosts below another suffix`,
        ),
      );
    }),
  );
}

export const nssResolve = ({ settings, nssResolve: bypasses, resolved }: HostFacts): readonly Finding[] =>
  when(settings.capture === 'nft' && bypasses && resolved !== undefined && !resolved.hasDropIn, () =>
    problem(
      'nss-resolve',
      'programs ask systemd-resolved without a packet that nft could see ("resolve" in /etc/nsswitch.conf)',
      '"meshdoh-shim capture" as root points systemd-resolved at the shim as well',
    ),
  );

export function docker({ settings, dockerBridges }: HostFacts): readonly Finding[] {
  const covered = (name: string) => settings.bridges.some((pattern) => matches(name, pattern));
  const left = dockerBridges.filter((name) => settings.capture !== 'nft' || !covered(name));
  if (left.length === 0 || settings.capture === 'none') return [];
  const remedy =
    settings.capture === 'nft'
      ? `add ${left.map((name) => `"bridge = ${name}"`).join(', ')}`
      : 'use "capture = nft" with "bridge = docker0" (and "bridge = br-*"), or have the shim listen on the address of the bridge and name that as "dns" in /etc/docker/daemon.json';
  return [
    warning(
      'docker',
      `containers behind ${left.join(', ')} do not ask the shim: Docker leaves nameservers on loopback out, for a container has a loopback of its own`,
      remedy,
    ),
  ];
}
