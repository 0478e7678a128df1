import { isIPv4 } from 'node:net';
import type { CaptureMode, ListenAddress } from './capture.ts';
import { asksResolved } from './original-resolvers.ts';
import { RESOLV_CONF, renderResolvConf } from './resolv-conf.ts';

/** What of a host decides how its resolver can be pointed at us. */
export interface ResolverFacts {
  /** Text of `/etc/resolv.conf` as it is without us. */
  readonly resolvConf: string;
  /** systemd-resolved runs. */
  readonly resolved: boolean;
  /** `/etc/nsswitch.conf` lets programs ask systemd-resolved without sending a packet. */
  readonly nssResolve: boolean;
  /** NetworkManager runs, which would write `/etc/resolv.conf` again. */
  readonly networkManager: boolean;
}

export type ResolverPlan =
  | {
      readonly ok: true;
      /** For people. */
      readonly how: string;
      readonly files: readonly { readonly path: string; readonly content: string }[];
    }
  | { readonly ok: false; readonly reason: string };

/** Below /run: a host that boots without us has its own DNS. */
export const RESOLVED_DROP_IN = '/run/systemd/resolved.conf.d/90-meshdoh-shim.conf';
export const NETWORK_MANAGER_DROP_IN = '/run/NetworkManager/conf.d/90-meshdoh-shim.conf';

/** Not waited for: a job that we are part of may be in its way. */
const reloadOf = (unit: string): readonly string[] => ['systemctl', '--no-block', 'try-reload-or-restart', unit];

/** What makes a service read its file again. */
export const RELOAD_OF: Readonly<Record<string, readonly string[]>> = {
  [RESOLVED_DROP_IN]: reloadOf('systemd-resolved.service'),
  [NETWORK_MANAGER_DROP_IN]: reloadOf('NetworkManager.service'),
};

const DNS_PORT = 53;

export const isLoopback = ({ address }: ListenAddress): boolean =>
  isIPv4(address) ? address.startsWith('127.') : address === '::1';

/** What is wrong where no shim answers at any of them. */
export const silenceText = (listen: readonly ListenAddress[]): string =>
  `no shim answers at ${listen
    .filter(isLoopback)
    .map(({ address, port }) => `${address} port ${port}`)
    .join(' and ')}`;

/** Which files make this host's programs ask us, by way of the resolver they already ask. */
export function planResolver(
  { capture, listen }: { readonly capture: CaptureMode; readonly listen: readonly ListenAddress[] },
  facts: ResolverFacts,
  zones: readonly string[],
): ResolverPlan {
  const loopback = listen.filter(isLoopback);
  const stub = facts.resolved && asksResolved(facts.resolvConf);
  const viaResolved = stub || (facts.resolved && facts.nssResolve);
  const [toResolved] = loopback;
  const resolved =
    viaResolved && toResolved ? [{ path: RESOLVED_DROP_IN, content: resolvedDropIn(toResolved, zones) }] : [];
  if (capture === 'nft') return { ok: true, how: 'nft', files: resolved };
  if (toResolved === undefined) return refused('"listen" has no loopback address to point the resolver at');
  if (stub) return { ok: true, how: 'systemd-resolved', files: resolved };
  const nameserver = loopback.find(({ port }) => port === DNS_PORT);
  if (nameserver === undefined) {
    return refused(`${RESOLV_CONF} cannot name a port: "listen" needs a loopback address on port 53`);
  }
  const resolvConf = { path: RESOLV_CONF, content: renderResolvConf(facts.resolvConf, nameserver.address) };
  if (!facts.networkManager) return { ok: true, how: RESOLV_CONF, files: [...resolved, resolvConf] };
  return {
    ok: true,
    how: 'NetworkManager (dns=none)',
    files: [...resolved, { path: NETWORK_MANAGER_DROP_IN, content: NETWORK_MANAGER_DNS_NONE }, resolvConf],
  };
}

const refused = (reason: string): ResolverPlan => ({ ok: false, reason });

const NETWORK_MANAGER_DNS_NONE = '[main]\ndns=none\n';

/**
 * One server: resolved stays with a second one after a single failure; the empty `DNS=` forgets those of other files. `~.` sends us every name that no link claims;
 * the zones of the mesh are named because the longest match wins, and a link may claim a shorter one.
 */
function resolvedDropIn({ address, port }: ListenAddress, zones: readonly string[]): string {
  const host = isIPv4(address) || port === DNS_PORT ? address : `[${address}]`;
  const server = port === DNS_PORT ? host : `${host}:${port}`;
  const domains = ['~.', ...[...new Set(zones)].toSorted().map((zone) => `~${zone}`)].join(' ');
  return `[Resolve]\nDNS=\nDNS=${server}\nDomains=${domains}\n`;
}
