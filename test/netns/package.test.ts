import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDeb } from '../../packaging/build-deb.mjs';
import { must, need } from './commands.ts';
import { Network, RESOLVER } from './network.ts';
import { VmHost } from './vm-host.ts';

const PACKING_MS = 180_000;
const RESOLV_CONF = `nameserver ${RESOLVER.v4}\n`;
const FLAGS = ['--endpoint', 'https://doh.example/dns-query', '--route', '.=system'];

let network: Network;
let vm: VmHost;
let file: string;
let before: string;

beforeAll(async () => {
  need('dpkg', 'dpkg-deb', 'ip', 'unshare', 'nsenter', 'useradd');
  network = await Network.create();
  await network.startResolver();
  file = await buildDeb(network.folder);
  vm = await VmHost.create(network);
  await vm.run('rm', '-f', '/etc/resolv.conf');
  await vm.write('/etc/resolv.conf', RESOLV_CONF);
  before = await vm.image();
}, PACKING_MS);
afterAll(async () => {
  await network?.remove();
});

// With the machine's own dpkg, on its own files under a layer that takes the changes; PID 1 is no systemd.
describe('the Debian package', () => {
  it('holds the program, the Node it runs on and commented settings, and nothing that anybody may write', async () => {
    const listing = await must('dpkg-deb', '--contents', file);
    for (const path of ['usr/bin/meshdoh-shim', 'usr/lib/meshdoh-shim/node', 'etc/meshdoh/shim.conf']) {
      expect(listing).toContain(`./${path}\n`);
    }
    expect(
      listing
        .split('\n')
        .filter((line) => line !== '' && !/^[-d]rwx?r-x?r-x? root\/root|^[-d]rw[x-]r-[x-]r-[x-] root\/root/.test(line)),
    ).toEqual([]);
  });

  it('installs without systemd as PID 1, and its command runs with the Node it brings', async () => {
    await vm.must('dpkg', '--install', file);
    expect(await vm.must('env', '-i', 'PATH=/usr/bin:/bin', 'meshdoh-shim', '--version')).toMatch(/^meshdoh-shim \d/);
    expect(await vm.must('id', '-u', 'meshdoh')).toMatch(/^\d+\n$/);
    expect(await vm.read('/etc/resolv.conf'), 'DNS is as it was').toBe(RESOLV_CONF);
  });

  it('is set up by one command, which another undoes', async () => {
    const shipped = await vm.read('/etc/meshdoh/shim.conf');
    await vm.must('meshdoh-shim', 'install', ...FLAGS);
    expect(await vm.read('/etc/systemd/system/meshdoh-shim.service')).toContain(
      'ExecStart=/usr/lib/meshdoh-shim/node ',
    );
    expect(await vm.read('/etc/meshdoh/shim.conf')).toMatch(
      /^# .*[\s\S]*^endpoint = https:\/\/doh\.example\/dns-query$/m,
    );
    await vm.must('meshdoh-shim', 'uninstall');
    expect(await vm.read('/etc/meshdoh/shim.conf')).toBe(shipped);
  });

  it('puts everything back when it is purged, though it is still set up', async () => {
    await vm.must('meshdoh-shim', 'install', ...FLAGS);
    await vm.must('dpkg', '--purge', 'meshdoh-shim');
    expect(await vm.image()).toBe(before);
  });
});
