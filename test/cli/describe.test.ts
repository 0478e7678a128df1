import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeCommand } from '../../src/cli/describe.ts';
import { serviceEntry } from '../support/registry.ts';
import { type Ran, runVerb } from './run-verb.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await openTestServer();
  const { registry } = server;
  await registry.apply(
    serviceEntry('auto', { hosts: ['auto.internal', 'two.internal'] }, { labels: { team: 'shop', tier: 'web' } }),
  );
  await registry.apply(
    serviceEntry('static', {
      hosts: ['static.internal'],
      resolution: 'STATIC',
      addresses: ['203.0.113.0/24'],
      endpoints: [{ address: '192.0.2.1', weight: 3, labels: { zone: 'a' } }],
      location: 'MESH_INTERNAL',
      exportTo: ['.', 'team'],
    }),
  );
  await registry.apply(serviceEntry('none', { hosts: ['none.internal'], resolution: 'NONE' }, { namespace: 'team' }));
});
afterAll(() => server.close());

const description = (...words: readonly string[]): Promise<Ran> =>
  runVerb(describeCommand, words, {
    environment: { MESHDOH_SERVER: server.url },
    now: server.registry.clock.now + 125_000,
  });

describe('describe', () => {
  it('tells what the hosts of an entry answer, with its ports and conditions', async () => {
    const { stdout, stderr, exitCode } = await description('se', 'auto');
    expect([stderr, exitCode]).toEqual(['', 0]);
    const vip = await server.registry.vipOf('auto.internal');
    expect(stdout).toMatch(/^Name: {10}auto\nNamespace: {5}default\nLabels: {8}team=shop\n {15}tier=web\n/);
    expect(stdout).toContain('Created:       2026-11-01T00:00:00Z (2m5s ago)\n');
    expect(stdout).toMatch(
      new RegExp(
        `^Hosts:\\n {2}HOST +ANSWER +WHICH IS\\n {2}auto\\.internal +${vip}, 2001:2::\\S+ +virtual IP\\n`,
        'm',
      ),
    );
    expect(stdout).toMatch(/^Ports:\n {2}NAME {3}PORT {3}PROTOCOL {3}TARGET\n {2}http {3}80 {5}HTTP {7}80\n/m);
    expect(stdout).toMatch(/^ {2}AddressesAllocated {3}True {5}Allocated {3}2m5s /m);
    expect(stdout).toMatch(/^Warnings: {6}<none>\n$/m);
  });

  it('tells endpoints where a CIDR rules out a virtual IP, and to whom it is exported', async () => {
    const { stdout } = await description('static');
    expect(stdout).toMatch(/^ {2}static\.internal {3}192\.0\.2\.1 {3}its endpoints$/m);
    expect(stdout).toMatch(/^ {2}192\.0\.2\.1 {3}<none> {3}3 {8}<none> {5}zone=a$/m);
    expect(stdout).toContain('Exported To:   ., team\n');
    expect(stdout).toContain('Location:      MESH_INTERNAL\n');
    expect(stdout).toContain('Addresses:     203.0.113.0/24\n');
  });

  it('repeats what applying it was warned of', async () => {
    const { stdout } = await description('none', '-n', 'team');
    expect(stdout).toMatch(/^ {2}none\.internal {3}<none> {3}not answered here$/m);
    expect(stdout).toMatch(/^Warnings: {6}spec\.hosts\[0\]: "none\.internal" will not resolve here: /m);
  });

  it('describes several, those of a selector, or all', async () => {
    const names = (text: string) => [...text.matchAll(/^Name: +(\S+)$/gm)].map(([, name]) => name);
    expect(names((await description('auto', 'static')).stdout)).toEqual(['auto', 'static']);
    expect(names((await description('-l', 'team=shop')).stdout)).toEqual(['auto']);
    expect(names((await description('-A')).stdout)).toEqual(['auto', 'static', 'none']);
  });

  it('reports what is not there after what is', async () => {
    const { stdout, stderr, exitCode } = await description('auto', 'absent');
    expect(stdout).toMatch(/^Name: +auto$/m);
    expect(stderr).toBe('Error from server (NotFound): serviceentries.networking.istio.io "absent" not found\n');
    expect(exitCode).toBe(1);
  });

  it('says where nothing is', async () => {
    expect(await description('-n', 'empty')).toEqual({
      stdout: '',
      stderr: 'No resources found in empty namespace.\n',
      exitCode: 0,
    });
  });
});
