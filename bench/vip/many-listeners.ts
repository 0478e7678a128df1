import { performance } from 'node:perf_hooks';
import { applyNft } from '../../src/shim/capture/nft-command.ts';
import { NftSession } from '../../src/shim/vips/nft-session.ts';
import { VipForwarding } from '../../src/shim/vips/vip-forwarding.ts';
import type { TableHost } from '../../src/table/mesh-table.ts';
import { meshTable, tableHost } from '../../test/shim/vips/mesh.ts';
import { median, print } from '../measure/report.ts';

/**
 * In a network namespace of its own: the first fill of 10,000 listeners, then changes of one endpoint, as JSON.
 * `node many-listeners.ts LISTENERS`
 */
const count = Number(process.argv[2] ?? 10_000);
const CHANGES = 50;

const host = (index: number, endpoint: string): TableHost => {
  const ipv4 = `240.240.${1 + (index >> 8)}.${index & 255}`;
  return tableHost({
    host: `host-${index}.example`,
    addresses: [ipv4],
    vip: { ipv4, ipv6: `2001:2::${(index + 1).toString(16)}` },
    ports: [{ name: 'tcp', number: 9000, protocol: 'TCP' }],
    endpoints: [{ address: endpoint }],
  });
};

const collect = globalThis.gc ?? (() => undefined);
const resident = (): number => {
  collect();
  return process.memoryUsage.rss();
};

const session = new NftSession();
const nftMs: number[] = [];
const timed = async (work: Promise<void>): Promise<void> => {
  const begun = performance.now();
  await work;
  nftMs.push(performance.now() - begun);
};

const hosts = Array.from({ length: count }, (_, index) => host(index, `10.${index >> 8}.${index & 255}.7`));
const table = meshTable(hosts);
const before = resident();
const vips = new VipForwarding({
  nft: {
    apply: (ruleset) => timed(applyNft(ruleset)),
    send: (commands) => timed(session.send(commands)),
    close: () => session.close(),
  },
  routes: { clash: async () => undefined, add: async () => [], remove: async () => undefined },
  held: async () => [],
  forgetUdpFlows: async () => undefined,
  lookUp: async () => ({ ipv4: undefined, ipv6: undefined, ttl: 0 }),
  memory: { prefixes: { ipv4: [], ipv6: [] }, names: new Map() },
  remember: () => undefined,
  counters: async () => [],
  log: print,
  now: () => performance.now(),
});
await vips.update(table);
const fillMs = nftMs[0];
nftMs.length = 0;
for (let change = 0; change < CHANGES; change++) {
  await vips.update(meshTable([host(0, `10.200.0.${change + 1}`), ...hosts.slice(1)]), new Set(['host-0.example']));
}
print(JSON.stringify({ fillMs, changeMs: median(nftMs), grownOctets: resident() - before }));
await vips.stop();
