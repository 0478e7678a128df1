import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildShim } from '../../src/shim/build.mjs';
import { must, need, type Outcome, run, sleep, until } from './commands.ts';
import { Endpoint } from './endpoint.ts';
import { ELSEWHERE, ENDPOINT, Network, RESOLVER } from './network.ts';
import { SERVICE_TOOLS, ServiceStandIn } from './service-stand-in.ts';
import { NODE, VmHost } from './vm-host.ts';

const PORT = 9000;
const PROGRAM = '/usr/local/lib/meshdoh-shim.mjs';
const SECOND = { v4: '10.77.3.55', v6: 'fd77:3::55' };
const FIRST_NAME = 'tcp-echo.external-1.svc.cluster.local';
const SECOND_NAME = 'tcp-echo.external-2.svc.cluster.local';
const UDP_NAME = 'udp-echo.external-1.svc.cluster.local';
const WEIGHTED_NAME = 'weighted.external.svc.cluster.local';
/** Between two looks at the table, as the shim of this host is set up; and some for a busy machine. */
const POLL_MS = 2000;

let network: Network;
let endpoint: Endpoint;
let vm: VmHost;
let service: ServiceStandIn | undefined;
let containerDns: string;

interface Spec {
  readonly protocol?: 'TCP' | 'UDP';
  readonly endpoints?: readonly { readonly address: string; readonly weight?: number }[];
}

async function apply(host: string, { protocol = 'TCP', endpoints }: Spec = {}): Promise<void> {
  const spec = {
    hosts: [host],
    ports: [{ name: protocol.toLowerCase(), number: PORT, protocol }],
    resolution: endpoints ? 'STATIC' : 'DNS',
    ...(endpoints && { endpoints }),
  };
  const metadata = { name: host.replaceAll('.', '-') };
  const manifest = { apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry', metadata, spec };
  const file = join(network.folder, 'entry.json');
  await writeFile(file, JSON.stringify(manifest));
  await endpoint.meshdoh('apply', '-f', file);
}

type Family = 4 | 6;

const connecting = (name: string, family: Family, transport: 'TCP' | 'UDP' = 'TCP'): string =>
  `echo hello | socat -T2 -t1 - ${transport}${family}:${name}:${PORT}${transport === 'TCP' ? ',connect-timeout=3' : ''}`;

const answerOf = ({ code, stdout, stderr }: Outcome): string =>
  code === 0 ? (stdout.split(' ')[0] ?? '').trim() : stderr.trim().replace(/^.*E /, '');

/** Which server a program reaches that connects to a name. */
async function reached(name: string, family: Family = 4, transport: 'TCP' | 'UDP' = 'TCP'): Promise<string> {
  return answerOf(await vm.run('timeout', '6', 'sh', '-c', connecting(name, family, transport)));
}

async function reachedFromContainer(name: string, family: Family, transport: 'TCP' | 'UDP' = 'TCP'): Promise<string> {
  const script = `mount --bind ${containerDns} /etc/resolv.conf && ${connecting(name, family, transport)}`;
  return answerOf(await run(...network.in('container', 'timeout', '6', 'unshare', '--mount', 'sh', '-c', script)));
}

const within = (holds: () => Promise<boolean>, timeoutMs = POLL_MS) => until(holds, timeoutMs, 100);

beforeAll(async () => {
  need('ip', 'nft', 'dig', 'dnsmasq', 'conntrack', 'curl', ...SERVICE_TOOLS);
  network = await Network.create();
  await network.startResolver(
    `--host-record=${FIRST_NAME},${ENDPOINT.v4},${ENDPOINT.v6}`,
    `--host-record=${SECOND_NAME},${SECOND.v4},${SECOND.v6}`,
  );
  for (const address of [`${SECOND.v4}/24`, `${SECOND.v6}/64`]) {
    await must(
      'ip',
      '-n',
      network.name('endpoint'),
      'addr',
      'add',
      address,
      'dev',
      'eth0',
      ...(address.includes(':') ? ['nodad'] : []),
    );
  }
  const servers = [
    `external-1=${ENDPOINT.v4}`,
    `external-1=${ENDPOINT.v6}`,
    `external-2=${SECOND.v4}`,
    `external-2=${SECOND.v6}`,
  ];
  const echo = [process.execPath, join(import.meta.dirname, 'echo-server.ts'), String(PORT), ...servers];
  await (await network.start('endpoint', echo)).says('ready');
  endpoint = await Endpoint.start(network);
  await apply(FIRST_NAME);
  await apply(SECOND_NAME);
  await apply(UDP_NAME, { protocol: 'UDP', endpoints: [{ address: ENDPOINT.v4 }, { address: ENDPOINT.v6 }] });

  vm = await VmHost.create(network);
  await buildShim(vm.at(PROGRAM));
  await vm.run('rm', '-f', '/etc/resolv.conf');
  await vm.write('/etc/resolv.conf', `nameserver ${RESOLVER.v4}\noptions timeout:2 attempts:1\n`);
  await vm.write('/etc/meshdoh/token', await endpoint.token('--family', 'ipv4', '--family', 'ipv6'));
  await vm.run('chmod', '600', '/etc/meshdoh/token');
  await copyFile(endpoint.caFile, vm.at('/etc/meshdoh/ca.pem'));
  containerDns = await network.file('container-resolv.conf', `nameserver ${ELSEWHERE.v4}\n`);
});
afterAll(async () => {
  await service?.stop();
  await network?.remove();
});

const shim = (...command: string[]): Promise<Outcome> => vm.run(NODE, PROGRAM, ...command);

describe('two services on one port, told apart by name alone', () => {
  it('need no more on the host than an installed shim', async () => {
    const where = [
      '--endpoint',
      endpoint.url,
      '--ca-file',
      '/etc/meshdoh/ca.pem',
      '--token-file',
      '/etc/meshdoh/token',
    ];
    const how = ['--capture', 'nft', '--bridge', 'docker0', '--route', '.=system', '--table-interval', '1s'];
    expect(await shim('install', ...where, ...how)).toMatchObject({ code: 0, stderr: '' });
    service = await ServiceStandIn.start(vm);
    expect(await within(async () => (await reached(FIRST_NAME)) === 'external-1', 15_000), service.output).toBe(true);
  });

  it.each([4, 6] as const)('are reached by name over IPv%s, from the host and from a container', async (family) => {
    expect(await reached(FIRST_NAME, family), service?.output).toBe('external-1');
    expect(await reached(SECOND_NAME, family)).toBe('external-2');
    expect(await reachedFromContainer(FIRST_NAME, family)).toBe('external-1');
    expect(await reachedFromContainer(SECOND_NAME, family)).toBe('external-2');
  });

  it('are reached over UDP', async () => {
    expect(await reached(UDP_NAME, 4, 'UDP')).toBe('external-1');
    expect(await reached(UDP_NAME, 6, 'UDP')).toBe('external-1');
    expect(await reachedFromContainer(UDP_NAME, 4, 'UDP')).toBe('external-1');
  });

  it('are listed with what they lead to, and how much went there', async () => {
    const { stdout } = await shim('listeners');
    expect(stdout).toMatch(/^ADDRESS +PORT +PROTOCOL +DESTINATION +ENDPOINTS +PACKETS +BYTES\n/);
    const line = stdout.split('\n').find((one) => one.includes(`outbound|${PORT}||${FIRST_NAME}`));
    expect(line).toMatch(new RegExp(`^240\\.240\\.\\S+ +9000 +TCP +\\S+ +${ENDPOINT.v4}:9000 +[1-9]\\d* +[1-9]\\d*$`));
  });
});

describe('the metrics of the shim', () => {
  it('count what went to a VIP', async () => {
    const { stdout } = await vm.run('curl', '-s', 'http://127.0.0.1:15054/metrics');
    expect(stdout).toMatch(
      /^meshdoh_shim_vip_packets_total\{address="240\.240\.[\d.]+",protocol="TCP",port="9000"\} [1-9]/m,
    );
    expect(stdout).toMatch(/^meshdoh_shim_vip_refused_packets_total \d+$/m);
  });
});

describe('a change of the mesh', () => {
  it('is effective at once for who asks by name: a new entry', async () => {
    await apply('new.external.svc.cluster.local', { endpoints: [{ address: SECOND.v4 }] });
    expect(await reached('new.external.svc.cluster.local'), service?.output).toBe('external-2');
  });

  it('moves new connections to another endpoint within a poll; an established one stays', async () => {
    const { stdout } = await vm.run('getent', 'ahostsv4', 'new.external.svc.cluster.local');
    const vip = stdout.split(/\s/)[0] ?? '';
    const kept = vm.run('sh', '-c', `(sleep 0.3; echo 1; sleep 5; echo 2; sleep 1) | socat - TCP4:${vip}:${PORT}`);
    await sleep(1500);
    await apply('new.external.svc.cluster.local', { endpoints: [{ address: ENDPOINT.v4 }] });
    expect(await within(async () => (await reached(vip)) === 'external-1')).toBe(true);
    expect((await kept).stdout.split('\n').map((line) => line.split(' ')[0])).toEqual(['external-2', 'external-2', '']);
  });

  it('shares connections by weight once there are several endpoints', async () => {
    await apply(WEIGHTED_NAME, {
      endpoints: [
        { address: ENDPOINT.v4, weight: 1 },
        { address: SECOND.v4, weight: 3 },
      ],
    });
    expect(await reached(WEIGHTED_NAME)).toMatch(/^external-/);
    const script = `for i in $(seq 400); do echo | socat -T1 -t0.2 - TCP4:${WEIGHTED_NAME}:${PORT}; done`;
    const { stdout } = await vm.run('sh', '-c', script);
    const answers = stdout.trim().split('\n');
    const share = answers.filter((line) => line.startsWith('external-2')).length / answers.length;
    expect(answers).toHaveLength(400);
    expect(Math.abs(share - 0.75)).toBeLessThan(0.1);
  });

  it('ends with the entry: connections are refused, and the name is nobody’s', async () => {
    const { stdout } = await vm.run('getent', 'ahostsv4', WEIGHTED_NAME);
    const vip = stdout.split(/\s/)[0] ?? '';
    await endpoint.meshdoh('delete', 'serviceentry', WEIGHTED_NAME.replaceAll('.', '-'));
    expect(await within(async () => (await reached(vip)).includes('refused'))).toBe(true);
    expect(await within(async () => (await vm.run('dig', WEIGHTED_NAME)).stdout.includes('NXDOMAIN'), 10_000)).toBe(
      true,
    );
  });
});

describe('a shim that is gone', () => {
  it('leaves VIPs working', async () => {
    const { stdout } = await vm.run('getent', 'ahostsv4', FIRST_NAME);
    const vip = stdout.split(/\s/)[0] ?? '';
    await service?.stop();
    service = undefined;
    expect(await reached(vip)).toBe('external-1');
  });

  it('leaves nothing once it is uninstalled', async () => {
    expect(await shim('uninstall')).toMatchObject({ code: 0 });
    expect((await vm.run('nft', 'list', 'ruleset')).stdout).toBe('');
    expect((await vm.run('ip', 'route')).stdout).not.toMatch(/240\.240|unreachable/);
    expect((await vm.run('ip', '-6', 'route')).stdout).not.toContain('2001:2::');
    expect(await vm.read('/etc/resolv.conf')).toContain(RESOLVER.v4);
  });
});
