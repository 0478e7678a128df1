import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostFiles } from '../../../src/shim/capture/host-files.ts';
import { originalResolvers, readOriginalResolvers } from '../../../src/shim/capture/original-resolvers.ts';
import { ResolverFiles } from '../../../src/shim/capture/resolver-files.ts';

const servers = (resolvConf: string, listen: { address: string; port: number }[], uplinks?: string) =>
  originalResolvers(resolvConf, uplinks, listen).servers;

describe('the resolvers that a host has without us', () => {
  it.each([
    ['where we listen on port 53', [{ address: '127.0.0.1', port: 53 }], ['192.0.2.53']],
    ['on another port of the same address', [{ address: '127.0.0.1', port: 15053 }], ['127.0.0.1', '192.0.2.53']],
    ['on port 53 of another address', [{ address: '127.0.53.1', port: 53 }], ['127.0.0.1', '192.0.2.53']],
  ])('leave out the address %s, and no other', (_, listen, expected) => {
    expect(servers('nameserver 127.0.0.1\nnameserver 192.0.2.53\n', listen)).toEqual(expected);
  });

  it('are those behind the stub of systemd-resolved', () => {
    const uplinks = 'nameserver 192.0.2.1\nnameserver 192.0.2.2\n';
    expect(servers('nameserver 127.0.0.53\n', [{ address: '127.0.0.1', port: 15053 }], uplinks)).toEqual([
      '192.0.2.1',
      '192.0.2.2',
    ]);
  });
});

describe('once we are in their place', () => {
  const SETTINGS = {
    capture: 'resolver' as const,
    listen: [{ address: '127.0.0.1', port: 53 }],
    bridges: [],
    exemptUsers: [],
    stateDir: '/var/lib/meshdoh',
  };
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'meshdoh-host-'));
    for (const folder of ['etc', 'run/resolvconf']) await mkdir(join(root, folder), { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true }));

  const write = (path: string, text: string) => writeFile(join(root, path), text);

  async function captured() {
    const host = new HostFiles(root);
    const run = () => Promise.reject(new Error('there is nothing to run'));
    await new ResolverFiles(SETTINGS, { host, run }).apply([]);
    return async () => (await readOriginalResolvers(host, SETTINGS)).servers;
  }

  it('are those that were there', async () => {
    await write('etc/resolv.conf', 'nameserver 192.0.2.1\n');
    expect(await (await captured())()).toEqual(['192.0.2.1']);
  });

  it('are those of the last lease, where the file was a link and its target is still written', async () => {
    await write('run/resolvconf/resolv.conf', 'nameserver 192.0.2.1\n');
    await symlink('../run/resolvconf/resolv.conf', join(root, 'etc/resolv.conf'));
    const current = await captured();
    expect(await current()).toEqual(['192.0.2.1']);
    await write('run/resolvconf/resolv.conf', 'nameserver 192.0.2.2\n');
    expect(await current()).toEqual(['192.0.2.2']);
    await write('run/resolvconf/resolv.conf', '# no lease\n');
    expect(await current()).toEqual(['192.0.2.1']);
  });
});
