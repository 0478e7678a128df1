import type { MeshTable, TableHost } from '../../table/mesh-table.ts';
import { type Target as ListenerTarget, targetsOf } from '../../table/table-endpoints.ts';

export type Transport = 'tcp' | 'udp';

export type { ListenerTarget };

/** One port of a VIP, and where connections to it go. */
export interface VipListener {
  readonly host: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly transport: Transport;
  readonly port: number;
  /** IP addresses or names; none: connections are reset. */
  readonly targets: readonly ListenerTarget[];
}

/** Istio's name of a listener's destination. */
export const destinationOf = ({ host, port }: Pick<VipListener, 'host' | 'port'>): string =>
  `outbound|${port}||${host}`;

/**
 * The ports of a host's VIP that a DNAT can carry. A wildcard host has none: only a proxy sees which of its names a
 * connection is for.
 */
export function listenersOf(host: TableHost): VipListener[] {
  const { vip } = host;
  if (vip === undefined || host.host.startsWith('*.')) return [];
  return host.ports.map((port) => ({
    host: host.host,
    ...vip,
    transport: port.protocol === 'UDP' ? ('udp' as const) : ('tcp' as const),
    port: port.number,
    targets: targetsOf(host, port),
  }));
}

export const vipListeners = ({ hosts }: MeshTable): VipListener[] => hosts.flatMap(listenersOf);
