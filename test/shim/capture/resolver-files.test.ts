import { lstat, mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CaptureSettings } from '../../../src/shim/capture/capture.ts';
import { HostFiles } from '../../../src/shim/capture/host-files.ts';
import { readOriginalResolvers } from '../../../src/shim/capture/original-resolvers.ts';
import { ResolverCapture } from '../../../src/shim/capture/resolver-capture.ts';
import { ResolverFiles } from '../../../src/shim/capture/resolver-files.ts';

const SETTINGS: CaptureSettings = {
  capture: 'resolver',
  listen: [{ address: '127.0.0.1', port: 53 }],
  bridges: [],
  exemptUsers: [],
  stateDir: '/var/lib/meshdoh',
};
const ORIGINAL = '# theirs\nnameserver 192.0.2.1\nsearch corp.example\n';
const DROP_IN = '/run/systemd/resolved.conf.d/90-meshdoh-shim.conf';

let root: string;
let host: HostFiles;
let commands: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'meshdoh-root-'));
  host = new HostFiles(root);
  commands = [];
  await put('/etc/resolv.conf', ORIGINAL);
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function put(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text, { mode });
}
const text = (path: string) => readFile(join(root, path), 'utf8');
const run = async (argv: readonly string[]) => void commands.push(argv.join(' '));
const files = (settings: Partial<CaptureSettings> = {}) =>
  new ResolverFiles({ ...SETTINGS, ...settings }, { host, run });

describe('ResolverFiles', () => {
  it('points /etc/resolv.conf here, any number of times, and puts back what was there', async () => {
    expect((await files().apply([])).written).toEqual(['/etc/resolv.conf']);
    expect(await text('/etc/resolv.conf')).toContain('nameserver 127.0.0.1\n');
    expect((await files().apply([])).written, 'the second time').toEqual([]);
    expect(await files().isApplied([])).toBe(true);
    await files().restore();
    expect(await text('/etc/resolv.conf')).toBe(ORIGINAL);
    expect(commands).toEqual([]);
  });

  it('puts back a link as a link', async () => {
    await put('/run/resolvconf/resolv.conf', ORIGINAL);
    await rm(join(root, 'etc/resolv.conf'));
    await symlink('../run/resolvconf/resolv.conf', join(root, 'etc/resolv.conf'));
    await files().apply([]);
    expect((await lstat(join(root, 'etc/resolv.conf'))).isSymbolicLink()).toBe(false);
    expect(await text('/run/resolvconf/resolv.conf'), 'what it led to').toBe(ORIGINAL);
    await files().restore();
    expect(await readlink(join(root, 'etc/resolv.conf'))).toBe('../run/resolvconf/resolv.conf');
  });

  it('puts back that there was none', async () => {
    await rm(join(root, 'etc/resolv.conf'));
    await files().apply([]);
    await files().restore();
    expect(await host.exists('/etc/resolv.conf')).toBe(false);
  });

  it('puts back the mode', async () => {
    await rm(join(root, 'etc/resolv.conf'));
    await put('/etc/resolv.conf', ORIGINAL, 0o640);
    await files().apply([]);
    await files().restore();
    expect((await lstat(join(root, 'etc/resolv.conf'))).mode & 0o777).toBe(0o640);
  });

  it('takes what somebody else has written since for the original', async () => {
    await files().apply([]);
    await put('/etc/resolv.conf', 'nameserver 192.0.2.2\n');
    await files().apply([]);
    expect(await readOriginalResolvers(host, SETTINGS)).toEqual({ servers: ['192.0.2.2'], search: [] });
    await files().restore();
    expect(await text('/etc/resolv.conf')).toBe('nameserver 192.0.2.2\n');
  });

  it('does not undo what somebody else has written over it', async () => {
    await files().apply([]);
    await put('/etc/resolv.conf', 'nameserver 192.0.2.2\n');
    await files().restore();
    expect(await text('/etc/resolv.conf')).toBe('nameserver 192.0.2.2\n');
  });

  it('has systemd-resolved read its drop-in again only when it has changed', async () => {
    await put('/etc/resolv.conf', 'nameserver 127.0.0.53\n');
    await put('/run/systemd/resolve/resolv.conf', 'nameserver 192.0.2.1\nnameserver 127.0.0.1\n');
    await files().apply(['internal']);
    await files().apply(['internal']);
    expect(commands).toEqual(['systemctl --no-block try-reload-or-restart systemd-resolved.service']);
    expect(await text(DROP_IN)).toContain('Domains=~. ~internal\n');
    expect(await readOriginalResolvers(host, SETTINGS), 'without us').toEqual({ servers: ['192.0.2.1'], search: [] });
    await files().restore();
    expect(await host.exists(dirname(DROP_IN))).toBe(false);
    expect(commands).toHaveLength(2);
  });

  it('remembers the servers of systemd-resolved while it lists nobody but us', async () => {
    await put('/etc/resolv.conf', 'nameserver 127.0.0.53\n');
    await put('/run/systemd/resolve/resolv.conf', 'nameserver 192.0.2.1\n');
    await files().apply([]);
    await put('/run/systemd/resolve/resolv.conf', 'nameserver 127.0.0.1\n');
    await files().apply([]);
    expect(await readOriginalResolvers(host, SETTINGS)).toEqual({
      servers: ['192.0.2.1'],
      search: [],
    });
  });

  it('leaves nothing behind once it has forgotten', async () => {
    await files().apply([]);
    await files().restore();
    await files().forget();
    for (const path of ['/var/lib/meshdoh-host/resolv-conf.json', '/var/lib/meshdoh/original-resolvers.json']) {
      expect(await host.exists(path)).toBe(false);
    }
  });
});

describe('ResolverCapture', () => {
  const capture = (selfCheck: () => Promise<boolean>, lines: string[]) =>
    new ResolverCapture(SETTINGS, {
      ...{ selfCheck, run, root, checkMs: 20 },
      listen: () => Promise.reject(new Error('no bridges here')),
      log: (line) => lines.push(line),
    });
  const eventually = async (holds: () => Promise<boolean>) => {
    for (let left = 200; left > 0 && !(await holds()); left--) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await holds()).toBe(true);
  };
  const isOurs = async () => (await text('/etc/resolv.conf')).includes('nameserver 127.0.0.1\n');

  it('takes DNS back from whoever rewrites the file, tells, and gives it back when it stops', async () => {
    const lines: string[] = [];
    const running = capture(() => Promise.resolve(true), lines);
    await running.start();
    expect(running.state()).toEqual({ kind: 'on', how: '/etc/resolv.conf' });
    await put('/etc/resolv.conf', 'nameserver 192.0.2.2\n');
    await eventually(isOurs);
    await running.stop();
    expect(lines).toContain('DNS had been taken back: /etc/resolv.conf put right');
    expect(await text('/etc/resolv.conf')).toBe('nameserver 192.0.2.2\n');
  });

  it('gives DNS back while the shim does not answer, and takes it again when it does', async () => {
    let answers = true;
    const running = capture(() => Promise.resolve(answers), []);
    await running.start();
    answers = false;
    await eventually(async () => !(await isOurs()));
    expect(running.state().kind).toBe('failed');
    answers = true;
    await eventually(isOurs);
    await running.stop();
  });
});
