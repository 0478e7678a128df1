import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { listenersCommand } from '../../src/cli/listeners.ts';
import { type OperatorServer, openOperatorServer } from '../support/operator-server.ts';
import { serviceEntry } from '../support/registry.ts';
import { type Ran, runVerb } from './run-verb.ts';

let server: OperatorServer;
const HOSTS = [1, 2].map((number) => `tcp-echo.external-${number}.svc.cluster.local`);

beforeAll(async () => {
  server = await openOperatorServer();
  const ports = [{ name: 'tcp', number: 9000, protocol: 'TCP' }];
  for (const host of HOSTS) await server.registry.apply(serviceEntry(host, { hosts: [host], ports }));
  await server.registry.apply(
    serviceEntry('literal', { hosts: ['address.internal'], resolution: 'NONE', addresses: ['198.51.100.1'] }),
  );
  const endpoints = [{ address: '10.0.0.1', weight: 3, ports: { db: 5433 } }, { address: '2001:db8::1' }];
  await server.registry.apply(
    serviceEntry(
      'theirs',
      {
        hosts: ['db.team-a.internal'],
        resolution: 'STATIC',
        exportTo: ['.'],
        ports: [
          { name: 'db', number: 5432 },
          { name: 'udp', number: 53, protocol: 'UDP' },
        ],
        endpoints,
      },
      { namespace: 'team-a' },
    ),
  );
});
afterAll(() => server.close());

const listeners = (...words: readonly string[]): Promise<Ran> =>
  runVerb(listenersCommand, words, { environment: { MESHDOH_SERVER: server.url } });

const cells = ({ stdout }: Ran): string[][] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {3,}/));

describe('listeners', () => {
  it('shows what each virtual IP listens to, in the order of the addresses', async () => {
    const vips = await Promise.all(HOSTS.map((host) => server.registry.vipOf(host)));
    const [header, ...rows] = cells(await listeners());
    expect(header).toEqual(['ADDRESS', 'PORT', 'PROTOCOL', 'DESTINATION']);
    const expected = HOSTS.map((host, at) => [vips[at] ?? '', '9000', 'TCP', `outbound|9000||${host}`]);
    const number = (address = '') => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    expect(rows).toEqual(expected.sort((a, b) => number(a[0]) - number(b[0])));
  });

  it('-o wide adds the endpoints, of a namespace of its own', async () => {
    const vip = await server.registry.vipOf('db.team-a.internal', { namespace: 'team-a' });
    const rows = cells(await listeners('-n', 'team-a', '-o', 'wide')).filter(([address]) => address === vip);
    expect(rows).toEqual([
      [vip, '53', 'UDP', 'outbound|53||db.team-a.internal', '10.0.0.1:53*3,[2001:db8::1]:53'],
      [vip, '5432', 'TCP', 'outbound|5432||db.team-a.internal', '10.0.0.1:5433*3,[2001:db8::1]:5432'],
    ]);
  });

  it('prints the same as JSON and YAML', async () => {
    const json = JSON.parse((await listeners('-o', 'json')).stdout);
    expect(json.items).toHaveLength(2);
    expect(json.items[0]).toMatchObject({
      port: 9000,
      protocol: 'TCP',
      endpoints: [expect.stringMatching(/^tcp-echo.*:9000$/)],
    });
    expect(parse((await listeners('-o', 'yaml')).stdout)).toEqual(json);
  });

  it('says so where there is none', async () => {
    await server.registry.remove(HOSTS[0] ?? '');
    await server.registry.remove(HOSTS[1] ?? '');
    expect(await listeners()).toMatchObject({
      stdout: '',
      stderr: 'no virtual IP is visible from namespace "default"\n',
      exitCode: 0,
    });
  });

  it('passes on why the server refuses', async () => {
    const { exitCode, stderr } = await listeners('-n', 'No_Name');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('answers HTTP 400: "vips" takes 0 or 1');
  });
});
