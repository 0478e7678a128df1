import type { MeshTable, TableHost } from '../../../src/table/mesh-table.ts';

export const tableHost = (some: Partial<TableHost>): TableHost => ({
  host: 'a.example',
  namespace: 'default',
  owned: true,
  addresses: ['240.240.0.1'],
  vip: { ipv4: '240.240.0.1', ipv6: '2001:2::1' },
  resolution: 'STATIC',
  ttl: 300,
  ports: [{ name: 'http', number: 80, protocol: 'HTTP' }],
  endpoints: [{ address: '10.0.0.1' }],
  ...some,
});

export const meshTable = (
  hosts: readonly TableHost[],
  pools = [{ ipv4: '240.240.0.0/16', ipv6: '2001:2::/48' }],
): MeshTable => ({
  schemaVersion: 1,
  view: {
    namespace: 'default',
    searchDomains: [],
    clusterDomain: 'cluster.local',
    families: ['ipv4', 'ipv6'],
    vips: true,
    forwardUnknown: true,
  },
  negativeTtl: 30,
  privateZones: ['cluster.local', 'internal'],
  pools,
  hosts,
});
