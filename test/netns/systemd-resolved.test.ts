import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildShim } from '../../src/shim/build.mjs';
import { millisecondsUntil, must, need, type Outcome, Running, sleep, until } from './commands.ts';
import { Network, RESOLVER } from './network.ts';
import { SERVICE_TOOLS, ServiceStandIn } from './service-stand-in.ts';
import { LOOPBACK } from './shim-in-vm.ts';
import { inVm, NODE, VmHost } from './vm-host.ts';

const STAND_IN = inVm('stand-in-shim.ts');
const DROP_IN = '/run/systemd/resolved.conf.d/90-meshdoh-shim.conf';
const SETTINGS = { capture: 'resolver', listen: LOOPBACK, bridges: [], exemptUsers: [], stateDir: '/var/lib/meshdoh' };
const BACK_MS = 5000;

/** systemd-resolved runs beside no systemd: a loop starts it again when "systemctl" has ended it. */
const RESOLVED = 'while :; do /lib/systemd/systemd-resolved & echo $! > /run/resolved.pid; wait; sleep 0.2; done';
const SYSTEMCTL = '#!/bin/sh\necho "$@" >> /run/systemctl.log\nkill "$(cat /run/resolved.pid)"\n';

/** Where services can see it. */
const PROGRAM = '/usr/local/lib/meshdoh-shim.mjs';

let network: Network;
let vm: VmHost;
let resolved: Running;
let service: ServiceStandIn | undefined;

// The package is unpacked into the VM's own files; to install it would give this machine another resolver.
beforeAll(async () => {
  need('ip', 'dig', 'dnsmasq', 'dpkg', 'apt-get', ...SERVICE_TOOLS);
  network = await Network.create();
  await network.startResolver();
  vm = await VmHost.create(network);
  await buildShim(vm.at(PROGRAM));
  await must('sh', '-c', `cd ${network.folder} && apt-get -q download systemd systemd-resolved`);
  // Not over /, where /lib is a link.
  await vm.must(
    'sh',
    '-c',
    `cd ${network.folder} && for each in *.deb; do dpkg -x $each unpacked; done
for each in lib usr; do cp -a unpacked/$each/. /$each/; done`,
  );
  await vm.run('useradd', '--system', '--user-group', '--no-create-home', 'systemd-resolve');
  await vm.write('/usr/bin/systemctl', SYSTEMCTL);
  await vm.must('chmod', '755', '/usr/bin/systemctl');
  // What systemd-networkd says of a link whose lease names this resolver.
  const index = (
    await vm
      .must('cat', '/sys/class/net/eth0/ifindex')
      .catch(() => vm.must('sh', '-c', 'ip -o link show eth0 | cut -d: -f1'))
  ).trim();
  await vm.write(
    `/run/systemd/netif/links/${index}`,
    `ADMIN_STATE=configured\nOPER_STATE=routable\nDNS=${RESOLVER.v4}\nDNS_DEFAULT_ROUTE=yes\n`,
  );
  await vm.must('install', '-d', '-o', 'systemd-resolve', '-g', 'systemd-resolve', '/run/systemd/resolve');
  await vm.run('rm', '-f', '/etc/resolv.conf');
  await vm.must('ln', '-s', '../run/systemd/resolve/stub-resolv.conf', '/etc/resolv.conf');
  const [nsenter, ...args] = vm.enter('sh', '-c', RESOLVED);
  resolved = new Running(nsenter, args);
  expect(await until(async () => (await whoami()) === '"real"', 10_000), resolved.output).toBe(true);
}, 120_000);
afterAll(async () => {
  await service?.stop();
  resolved?.signal('SIGKILL');
  await network?.remove();
});

const shim = (command: string, ...flags: string[]): Promise<Outcome> => vm.run(NODE, PROGRAM, command, ...flags);
const INSTALL = ['--endpoint', 'https://doh.example/dns-query', '--route', '.=system', '--vips', 'off'];

async function whoami(...more: string[]): Promise<string> {
  const { stdout } = await vm.run('dig', '+short', '+time=1', '+tries=1', 'whoami.test', 'TXT', ...more);
  return stdout.trim();
}

describe('resolver capture of a host with systemd-resolved', () => {
  it('installs with no privileged port', async () => {
    expect(await shim('install', ...INSTALL)).toMatchObject({ code: 0, stderr: '' });
    expect(await vm.read('/etc/meshdoh/shim.conf')).toContain('listen = 127.0.0.1:15053\n');
  });

  it('captures by a drop-in that names one server, over UDP and TCP, and leaves /etc/resolv.conf alone', async () => {
    service = await ServiceStandIn.start(vm, [NODE, STAND_IN, JSON.stringify(SETTINGS)]);
    expect(await until(async () => (await whoami()) === '"shim"', 5000), service.output + resolved.output).toBe(true);
    expect(await whoami('+tcp')).toBe('"shim"');
    expect(await vm.read(DROP_IN)).toBe('[Resolve]\nDNS=\nDNS=127.0.0.1:15053\nDomains=~.\n');
    expect(await vm.must('readlink', '/etc/resolv.conf')).toBe('../run/systemd/resolve/stub-resolv.conf\n');
    expect((await shim('status')).code).toBe(0);
    expect(JSON.parse(await vm.read('/var/lib/meshdoh/original-resolvers.json')).servers).toEqual([RESOLVER.v4]);
  });

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'after %s names resolve again within 5 s, and are captured again',
    async (signal) => {
      process.kill(service?.pid ?? 0, signal);
      await sleep(20);
      expect(await millisecondsUntil(async () => (await whoami()) !== '', 2 * BACK_MS)).toBeLessThan(BACK_MS);
      expect(await until(async () => (await whoami()) === '"shim"', 15_000)).toBe(true);
    },
  );

  it('gives DNS back when it is stopped and uninstalled', async () => {
    await service?.stop();
    service = undefined;
    expect(await until(async () => (await whoami()) === '"real"', 5000)).toBe(true);
    expect(await shim('uninstall')).toMatchObject({ code: 0 });
    expect((await vm.run('test', '-e', '/run/systemd/resolved.conf.d')).code).toBe(1);
    expect(await until(async () => (await whoami()) === '"real"', 5000)).toBe(true);
  });
});
