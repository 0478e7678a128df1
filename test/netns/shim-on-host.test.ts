import { copyFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildShim } from '../../src/shim/build.mjs';
import { must, need, type Outcome, type Running, sleep, until } from './commands.ts';
import { Endpoint } from './endpoint.ts';
import { ELSEWHERE, ENDPOINT, Network, RESOLVER, ROUTER, VM } from './network.ts';
import { SERVICE_TOOLS, ServiceStandIn } from './service-stand-in.ts';
import { NODE, VmHost } from './vm-host.ts';

const VIP = /^240\.240\.\d+\.\d+$/;
const BACK_MS = 30_000;
const NEXT_ANSWER_MS = 5_000;
const MOVED = '10.77.0.77';

/** Where services can see it. */
const PROGRAM = '/usr/local/lib/meshdoh-shim.mjs';

let network: Network;
let endpoint: Endpoint;
let vm: VmHost;
let service: ServiceStandIn | undefined;

beforeAll(async () => {
  need('ip', 'ss', 'nft', 'dig', 'dnsmasq', 'tcpdump', ...SERVICE_TOOLS);
  network = await Network.create();
  await network.startResolver('--address=/registered.internal/203.0.113.66');
  endpoint = await Endpoint.start(network);
  await endpoint.register('address.internal', '198.51.100.1');
  await endpoint.register('auto.internal');
  vm = await VmHost.create(network);
  await buildShim(vm.at(PROGRAM));
  await vm.write('/etc/meshdoh/token', await endpoint.token());
  await vm.run('chmod', '600', '/etc/meshdoh/token');
  await copyFile(endpoint.caFile, vm.at('/etc/meshdoh/ca.pem'));
  await vm.run('rm', '-f', '/etc/resolv.conf');
  await vm.write('/etc/resolv.conf', `nameserver ${RESOLVER.v4}\noptions timeout:1 attempts:1\n`);
});
afterAll(async () => {
  await service?.stop();
  await network?.remove();
});

const shim = (command: string, ...flags: string[]): Promise<Outcome> => vm.run(NODE, PROGRAM, command, ...flags);
const flags = () => [
  ...['--endpoint', endpoint.url, '--ca-file', '/etc/meshdoh/ca.pem', '--token-file', '/etc/meshdoh/token'],
  ...['--route', '.=system', '--table-interval', '1s'],
];

async function lookUp(name: string, ...more: string[]): Promise<string> {
  const { stdout } = await vm.run('dig', '+short', '+time=3', '+tries=1', name, ...more);
  return stdout.split('\n')[0] ?? '';
}

/** As a program does, through the resolver library. */
async function getent(name: string): Promise<string> {
  return (await vm.run('getent', 'ahostsv4', name)).stdout.split(/\s/)[0] ?? '';
}

/** Only the endpoint knows that there is no such name. */
const isToldByEndpoint = async (name: string): Promise<boolean> =>
  (await vm.run('dig', '+time=4', '+tries=1', name)).stdout.includes('NXDOMAIN');

/** Gives the VM another address in place of the one that it has, as a new lease does. */
async function moveTo(address: string, from: string): Promise<void> {
  const ip = ['ip', '-n', network.name('vm')] as const;
  await must(...ip, 'addr', 'del', `${from}/24`, 'dev', 'eth0');
  await must(...ip, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  await must(...ip, 'route', 'replace', 'default', 'via', ROUTER.v4);
}

/** Loses all packets of the VM's connections to the endpoint, and lets new ones through. */
async function blackholeConnections(): Promise<number> {
  const sockets = await must(...network.in('vm', 'ss', '-Htn', 'dst', ENDPOINT.v4));
  const ports = [...sockets.matchAll(/:(\d+)\s+\S+:8443/g)].map(([, port]) => port);
  if (ports.length === 0) return 0;
  const rules = `table ip lost { chain forward { type filter hook forward priority 0; tcp sport { ${ports} } drop; }; }`;
  await must(...network.in('router', 'nft', rules));
  return ports.length;
}

/** What leaves the VM for any resolver while `during` runs. */
async function sentBy(during: () => Promise<void>): Promise<string> {
  const watching: Running = await network.start('router', ['tcpdump', '-l', '-n', '-i', 'vm0', 'port', '53']);
  await watching.says('listening on');
  await during();
  await sleep(500);
  await watching.end('SIGINT');
  return watching.output;
}

describe.each([
  { capture: 'resolver', more: ['--capture', 'resolver'] },
  { capture: 'nft', more: ['--capture', 'nft', '--bridge', 'docker0'] },
] as const)('a host with the shim, capture by $capture', ({ capture, more }) => {
  it('is installed, and status and doctor have nothing to say against it', async () => {
    expect(await shim('install', ...flags(), ...more)).toMatchObject({ code: 0, stderr: '' });
    service = await ServiceStandIn.start(vm);
    const ready = await until(async () => (await shim('status')).code === 0, 10_000, 500);
    expect(ready, service.output).toBe(true);
    const { findings } = JSON.parse((await shim('doctor', '--json')).stdout) as {
      findings: { id: string; level: string }[];
    };
    expect(
      findings.filter(({ level }) => level === 'problem'),
      service.output,
    ).toEqual([]);
  });

  it('resolves names of the mesh by the endpoint, and others by the resolver it had', async () => {
    expect(await until(async () => VIP.test(await getent('auto.internal')), 5000)).toBe(true);
    expect(await getent('address.internal')).toBe('198.51.100.1');
    expect(await getent('public.example')).toBe('192.0.2.1');
    expect(await lookUp('address.internal', '+tcp')).toBe('198.51.100.1');
    if (capture !== 'nft') return;
    expect(await network.dig('container', ELSEWHERE.v6, 'address.internal', 'A')).toBe('198.51.100.1');
    expect(await network.dig('vm', ELSEWHERE.v4, 'address.internal', 'A')).toBe('198.51.100.1');
  });

  it('says what is wrong when a route of the host is in the range of virtual IPs', async () => {
    const route = ['-n', network.name('vm'), 'route'] as const;
    await must('ip', ...route, 'add', '240.240.7.0/24', 'dev', 'eth0');
    expect(await until(async () => (await shim('status')).stdout.includes('FAILED  virtual IPs'), 15_000, 500)).toBe(
      true,
    );
    const { code, stdout } = await shim('doctor');
    expect(code).toBe(1);
    expect(stdout).toContain('problem vip-route: virtual IPs are taken from 240.240.0.0/16');
    expect(stdout).toContain('problem vips-failed: virtual IPs are not carried: this host routes 240.240.7.0/24');
    await must('ip', ...route, 'del', '240.240.7.0/24', 'dev', 'eth0');
    expect(await until(async () => (await shim('status')).code === 0, 15_000, 500), service?.output).toBe(true);
  });

  it('has the next answer within 5 s after the address of the host has changed', async () => {
    expect(await isToldByEndpoint(`before-${capture}.internal`)).toBe(true);
    await moveTo(MOVED, VM.v4);
    const told = await until(() => isToldByEndpoint(`moved-${capture}.internal`), NEXT_ANSWER_MS);
    await moveTo(VM.v4, MOVED);
    expect(told, service?.output).toBe(true);
    const back = await until(() => isToldByEndpoint(`moved-back-${capture}.internal`), NEXT_ANSWER_MS);
    expect(back, service?.output).toBe(true);
  });

  it('has the next answer within 5 s when packets of its connections vanish', async () => {
    expect(await blackholeConnections()).toBeGreaterThan(0);
    const told = await until(() => isToldByEndpoint(`vanished-${capture}.internal`), NEXT_ANSWER_MS);
    await must(...network.in('router', 'nft', 'delete', 'table', 'ip', 'lost'));
    expect(told, service?.output).toBe(true);
  });

  it('without the endpoint answers names of the mesh from its table, and lets no private name out', async () => {
    await endpoint.goAway();
    const sent = await sentBy(async () => {
      expect(await getent('public.example')).toBe('192.0.2.1');
      expect(await getent('auto.internal')).toMatch(VIP);
      expect(await getent('address.internal')).toBe('198.51.100.1');
      expect((await vm.run('dig', '+time=4', '+tries=1', 'registered.internal')).stdout).toContain('SERVFAIL');
      expect((await vm.run('dig', '+time=4', '+tries=1', '+tcp', 'other.svc.cluster.local')).stdout).toContain(
        'SERVFAIL',
      );
    });
    expect(sent).toContain('public.example');
    expect(sent).not.toMatch(/internal|cluster\.local/);
  });

  it('asks the endpoint again within 30 s of its return', async () => {
    await endpoint.serve();
    const host = `later-${capture}.internal`;
    await endpoint.register(host, '198.51.100.2');
    const isBack = await until(async () => (await getent(host)) === '198.51.100.2', BACK_MS, 500);
    expect(isBack, `${service?.output}${(await vm.run('dig', host)).stdout}`).toBe(true);
  });

  it('is uninstalled, and has its own DNS', async () => {
    await service?.stop();
    service = undefined;
    expect(await shim('uninstall')).toMatchObject({ code: 0 });
    expect(await vm.read('/etc/resolv.conf')).toBe(`nameserver ${RESOLVER.v4}\noptions timeout:1 attempts:1\n`);
    expect(await getent('public.example')).toBe('192.0.2.1');
    expect(await getent('auto.internal')).toBe('');
    expect((await vm.run('nft', 'list', 'ruleset')).stdout).toBe('');
  });
});
