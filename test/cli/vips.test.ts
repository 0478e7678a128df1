import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { vipsCommand } from '../../src/cli/vips.ts';
import { serviceEntry, TOMBSTONE_MS } from '../support/registry.ts';
import { type OperationsServer, openOperationsServer } from './operations-server.ts';
import { type Ran, runVerb } from './run-verb.ts';

let server: OperationsServer;
let live: string;
let released: string;
const END = '2026-11-02T00:00:00Z';

beforeAll(async () => {
  server = await openOperationsServer();
  const { registry } = server;
  await registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }));
  await registry.apply(serviceEntry('old', { hosts: ['old.internal'] }));
  live = (await registry.vipOf('auto.internal')) ?? '';
  released = (await registry.vipOf('old.internal')) ?? '';
  await registry.remove('old');
  await registry.apply(
    serviceEntry('own', { hosts: ['own.internal'], resolution: 'STATIC', addresses: ['240.240.77.7'] }),
  );
});
afterAll(() => server.close());

const vips = (...words: readonly string[]): Promise<Ran> =>
  runVerb(vipsCommand, words, { environment: { MESHDOH_SERVER: server.url } });

const cells = ({ stdout }: Ran): string[][] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {3,}/));

describe('vips', () => {
  it('shows how full the pools are', async () => {
    expect(cells(await vips())).toEqual([
      ['POOL', 'STATE', 'CAPACITY', 'LIVE', 'RELEASED', 'PINNED', 'FREE'],
      ['240.240.0.0/16', 'active', '65024', '1', '1', '1', '65021'],
    ]);
  });

  it('-o wide adds the other family and the next end of a tombstone', async () => {
    const [, [, ...pool] = []] = cells(await vips('-o', 'wide'));
    expect(pool.slice(-2)).toEqual(['2001:2::/48', END]);
  });

  it('tells who holds a live address', async () => {
    const [header, row] = cells(await vips(live));
    expect(header).toEqual(['IPV4', 'IPV6', 'STATE', 'HOLDER', 'UNTIL']);
    expect(row).toEqual([live, expect.stringMatching(/^2001:2::/), 'live', 'default/auto.internal', '<none>']);
  });

  it('takes the IPv6 address of a VIP too', async () => {
    const [, [, ipv6 = ''] = []] = cells(await vips(live));
    expect(cells(await vips(ipv6))).toEqual(cells(await vips(live)));
  });

  it('tells until when a released address is kept, and for whom', async () => {
    expect(cells(await vips(released))[1]?.slice(2)).toEqual(['released', 'default/old.internal', END]);
  });

  it('tells which entries keep an address for themselves', async () => {
    expect(cells(await vips('240.240.77.7', '-o', 'wide'))[1]?.slice(2)).toEqual([
      'free',
      '<none>',
      '<none>',
      'default/own',
      '<none>',
    ]);
  });

  it('calls an address that is never given reserved', async () => {
    expect(cells(await vips('240.240.0.255'))[1]?.[2]).toBe('reserved');
  });

  it.each(['default/auto.internal', 'default/AUTO.internal.'])(
    '--holder %s finds the address of a host',
    async (holder) => {
      expect(cells(await vips('--holder', holder))[1]?.[0]).toBe(live);
    },
  );

  it.each([
    ['json', (text: string) => JSON.parse(text)],
    ['yaml', (text: string) => parse(text)],
  ])('-o %s is for programs', async (format, read) => {
    expect(read((await vips('-o', format)).stdout)).toMatchObject({
      items: [
        { ipv4: '240.240.0.0/16', state: 'active', live: 1, nextFreeAt: server.registry.clock.now + TOMBSTONE_MS },
      ],
    });
    expect(read((await vips(live, '-o', format)).stdout)).toMatchObject({
      state: 'live',
      holder: { namespace: 'default', host: 'auto.internal' },
      previous: [],
    });
  });

  it.each<[string[], string]>([
    [['192.0.2.1'], 'Error from server (NotFound): 192.0.2.1 is in no pool of virtual IPs\n'],
    [['nonsense'], 'Error from server (NotFound): nonsense is in no pool of virtual IPs\n'],
    [
      ['--holder', 'default/none.internal'],
      'Error from server (NotFound): host "none.internal" has no virtual IP in namespace "default"\n',
    ],
    [['--holder', 'auto'], 'error: --holder is "auto": it takes a namespace and a host, as in default/auto.internal\n'],
    [['240.240.0.1', '--holder', 'a/b'], 'error: an address and --holder exclude each other\n'],
  ])('%j fails', async (words, problem) => {
    expect(await vips(...words)).toEqual({ stdout: '', stderr: problem, exitCode: 1 });
  });

  it('names the former holders, the latest first', async () => {
    const { registry } = server;
    registry.clock.now += TOMBSTONE_MS;
    const names = Array.from({ length: 3 }, (_, index) => `w${index}`);
    for (const name of names) await registry.apply(serviceEntry(name, { hosts: [`${name}.internal`] }));
    expect(cells(await vips(released))[1]?.[2]).toBe('expired');
  });
});
