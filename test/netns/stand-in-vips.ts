/**
 * Carries the VIPs of a table: `node stand-in-vips.ts TABLE.json STATE-DIR RESOLVER`. Reads the table again on SIGHUP,
 * and says so.
 */
import { readFileSync } from 'node:fs';
import { UpstreamGroup } from '../../src/forward/upstream-group.ts';
import { DnsClient } from '../../src/shim/dns-client.ts';
import { createVipForwarding } from '../../src/shim/vips/create-vip-forwarding.ts';
import type { MeshTable } from '../../src/table/mesh-table.ts';

const [file = '', stateDir = '', resolver = ''] = process.argv.slice(2);
const group = new UpstreamGroup([new DnsClient({ address: resolver, port: 53 })], 1000);
const say = (line: string) => process.stdout.write(`${line}\n`);
const vips = await createVipForwarding({
  stateDir,
  log: say,
  askOutside: (query, question, signal) => group.ask(query, question, signal),
});

async function load(): Promise<void> {
  const table = JSON.parse(readFileSync(file, 'utf8')) as MeshTable;
  await vips.update(table);
  for (const { host } of table.hosts) await vips.ready(host);
  say(`loaded ${table.hosts.length}`);
}

process.on('SIGHUP', () => void load());
process.on('SIGTERM', () => void vips.stop().then(() => process.exit(0)));
setInterval(() => undefined, 60_000);
await load();
