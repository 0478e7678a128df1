import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { haproxyConfiguration } from '../../src/cli/haproxy-configuration.ts';
import { meshTable, tableHost } from '../shim/vips/mesh.ts';
import { must, need, run, until } from './commands.ts';
import { ENDPOINT, Network, RESOLVER } from './network.ts';

const PORT = 9000;
const VIP1 = { ipv4: '240.240.0.1', ipv6: '2001:2::1' };
const VIP2 = { ipv4: '240.240.0.2', ipv6: '2001:2::2' };
const ports = [{ name: 'tcp', number: PORT, protocol: 'TCP' }];

let network: Network;

beforeAll(async () => {
  need('ip', 'haproxy', 'socat', 'dnsmasq');
  network = await Network.create();
  await network.startResolver(`--host-record=db.example,${ENDPOINT.v4}`);
  const program = join(import.meta.dirname, 'echo-server.ts');
  const servers = [`external-1=${ENDPOINT.v4}`, `external-2=${ENDPOINT.v6}`];
  await (await network.start('endpoint', [process.execPath, program, String(PORT), ...servers])).says('ready');
});
afterAll(async () => {
  await network?.remove();
});

async function ask(address: string): Promise<string> {
  const target = address.includes(':') ? `TCP6:[${address}]:${PORT}` : `TCP4:${address}:${PORT}`;
  const script = `echo hello | socat -T1 -t1 - ${target},connect-timeout=2`;
  return (await run(...network.in('vm', 'timeout', '4', 'sh', '-c', script))).stdout.split(' ')[0] ?? '';
}

describe("HAProxy with the mesh's listeners", () => {
  it('takes the configuration, and carries VIPs of both families, also to endpoints of the other one', async () => {
    const table = meshTable([
      tableHost({ host: 'a.example', vip: VIP1, ports, resolution: 'DNS', endpoints: [{ address: 'db.example' }] }),
      tableHost({ host: 'b.example', vip: VIP2, ports, endpoints: [{ address: ENDPOINT.v6 }] }),
    ]);
    const { text } = haproxyConfiguration(table, { resolvers: [`${RESOLVER.v4}:53`] });
    const file = await network.file('haproxy.cfg', text);
    const checked = await run('haproxy', '-c', '-f', file);
    expect(checked.stdout + checked.stderr).toContain('Configuration file is valid');

    await must('ip', '-n', network.name('vm'), 'route', 'add', 'local', '240.240.0.0/16', 'dev', 'lo');
    await must('ip', '-n', network.name('vm'), '-6', 'route', 'add', 'local', '2001:2::/48', 'dev', 'lo');
    const haproxy = await network.start('vm', ['haproxy', '-db', '-f', file]);
    const came = await until(async () => (await ask(VIP1.ipv4)) === 'external-1', 10_000, 200);
    expect(came, haproxy.output).toBe(true);
    expect(await ask(VIP1.ipv6)).toBe('external-1');
    expect(await ask(VIP2.ipv4)).toBe('external-2');
    expect(await ask(VIP2.ipv6)).toBe('external-2');
  });
});
