import type { MeshTable, TableEndpoint, TableHost } from '../../table/mesh-table.ts';

export type Transport = 'tcp' | 'udp';

/** One port of a VIP, and where connections to it go. */
export interface VipListener {
  readonly host: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly transport: Transport;
  readonly port: number;
  /** IP addresses or names, each with its own port and weight; none: connections are reset. */
  readonly targets: readonly ListenerTarget[];
}

export interface ListenerTarget {
  readonly address: string;
  readonly port: number;
  readonly weight: number;
}

/** Istio's name of a listener's destination. */
export const destinationOf = ({ host, port }: Pick<VipListener, 'host' | 'port'>): string =>
  `outbound|${port}||${host}`;

/** With resolution DNS and no endpoints, Istio connects to the host's own name. */
const OWN_NAME: ReadonlySet<string> = new Set(['DNS', 'DNS_ROUND_ROBIN']);

function endpointsOf({ host, resolution, endpoints }: TableHost): readonly TableEndpoint[] {
  return endpoints.length === 0 && OWN_NAME.has(resolution) ? [{ address: host }] : endpoints;
}

/**
 * Every port of every VIP that a DNAT can carry. A wildcard host has none: only a proxy sees which of its names a
 * connection is for.
 */
export function vipListeners({ hosts }: MeshTable): VipListener[] {
  return hosts.flatMap((host) => {
    if (host.vip === undefined || host.host.startsWith('*.')) return [];
    const { vip } = host;
    const endpoints = endpointsOf(host);
    return host.ports.map(({ number, protocol, targetPort }) => ({
      host: host.host,
      ...vip,
      transport: protocol === 'UDP' ? ('udp' as const) : ('tcp' as const),
      port: number,
      targets: endpoints
        .filter(({ serves, weight }) => weight !== 0 && (serves?.includes(number) ?? true))
        .map(({ address, ports, weight = 1 }) => ({ address, port: ports?.[number] ?? targetPort ?? number, weight })),
    }));
  });
}
