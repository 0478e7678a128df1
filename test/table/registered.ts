import { registeredHosts } from '../../src/registry/registered-mesh.ts';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import { buildTable } from '../../src/table/build-table.ts';
import type { MeshTable, TableHost } from '../../src/table/mesh-table.ts';
import type { View } from '../../src/table/view.ts';
import { DEFAULT_VIEW, type SpecOverrides, serviceEntry } from '../support/registry.ts';

export const POOL = { ipv4: '240.240.0.0/16', ipv6: '2001:2::/48' };
export const SETTINGS = { ttl: { vip: 300, owned: 30, negative: 20 }, privateZones: ['cluster.local', 'internal'] };
export const VIP = { ipv4: '240.240.1.1', ipv6: '2001:2::101' };

/** An entry as the registry has stored it, with a VIP for each of these hosts. */
export function stored(
  name: string,
  spec: SpecOverrides,
  vips: Readonly<Record<string, { readonly ipv4: string; readonly ipv6: string }>> = {},
  metadata: Partial<ServiceEntry['metadata']> = {},
): ServiceEntry {
  const addresses = Object.entries(vips).flatMap(([host, { ipv4, ipv6 }]) => [
    { host, value: ipv4 },
    { host, value: ipv6 },
  ]);
  const entry = serviceEntry(name, spec, { creationTimestamp: '2026-11-01T00:00:00Z', ...metadata });
  return { ...entry, status: { addresses } };
}

export const tableOf = (entries: readonly ServiceEntry[], view: Partial<View> = {}): MeshTable =>
  buildTable({ hosts: registeredHosts(entries), pools: [POOL] }, { ...DEFAULT_VIEW, ...view }, SETTINGS);

/** The only host of a table. */
export function onlyHost(table: MeshTable): TableHost {
  const [host, ...more] = table.hosts;
  if (!host || more.length > 0) throw new Error(`${table.hosts.length} hosts`);
  return host;
}
