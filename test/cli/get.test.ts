import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { getCommand } from '../../src/cli/get.ts';
import { serviceEntry } from '../support/registry.ts';
import { type Ran, runVerb } from './run-verb.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await openTestServer();
  const { registry } = server;
  await registry.apply(serviceEntry('auto', { hosts: ['auto.internal'], location: 'MESH_EXTERNAL' }));
  await registry.apply(
    serviceEntry('fixed', {
      hosts: ['a.example.org', 'b.example.org'],
      addresses: ['198.51.100.1'],
      resolution: 'STATIC',
    }),
  );
  await registry.apply(
    serviceEntry('bare', { hosts: ['bare.example.org'], resolution: 'NONE' }, { namespace: 'team' }),
  );
});
afterAll(() => server.close());

const get = (...words: readonly string[]): Promise<Ran> =>
  runVerb(getCommand, words, {
    environment: { MESHDOH_SERVER: server.url },
    now: server.registry.clock.now + 125_000,
  });

const lines = (...rows: string[]): string => rows.map((row) => `${row}\n`).join('');

describe('get', () => {
  it('prints the columns that kubectl prints', async () => {
    expect(await get('serviceentries')).toEqual({
      stdout: lines(
        'NAME    HOSTS                               LOCATION        RESOLUTION   AGE',
        'auto    ["auto.internal"]                   MESH_EXTERNAL   DNS          2m5s',
        'fixed   ["a.example.org","b.example.org"]                   STATIC       2m5s',
      ),
      stderr: '',
      exitCode: 0,
    });
  });

  it('-A -o wide adds namespaces and addresses', async () => {
    const { stdout } = await get('se', '-A', '-o', 'wide');
    const [header = '', auto = '', fixed = '', bare = ''] = stdout.split('\n');
    expect(header.split(/ +/)).toEqual(['NAMESPACE', 'NAME', 'HOSTS', 'LOCATION', 'RESOLUTION', 'AGE', 'ADDRESSES']);
    expect(auto).toMatch(/^default {5}auto .* 240\.240\.\d+\.\d+,2001:2:\S+$/);
    expect(fixed).toMatch(/ 198\.51\.100\.1$/);
    expect(bare).toMatch(/^team {8}bare .* <none>$/);
  });

  it.each<[string, string[]]>([
    ['the kind left out', ['auto']],
    ['the short kind', ['se', 'auto']],
    ['the full kind', ['serviceentries.networking.istio.io', 'auto']],
    ['kind and name in one word', ['serviceentry/auto']],
    ['a name twice', ['se', 'auto', 'auto']],
  ])('finds an entry by name, with %s', async (_, words) => {
    const { stdout } = await get(...words, '-o', 'name');
    expect(stdout).toBe('serviceentry.networking.istio.io/auto\n');
  });

  it('-o yaml and json print one named entry as itself', async () => {
    const entry = { kind: 'ServiceEntry', metadata: { name: 'auto' }, spec: { hosts: ['auto.internal'] } };
    expect(parse((await get('se', 'auto', '-o', 'yaml')).stdout)).toMatchObject(entry);
    expect(JSON.parse((await get('se', 'auto', '-o', 'json')).stdout)).toMatchObject(entry);
  });

  it.each<[string, string[], string[]]>([
    ['all of a namespace', ['se', '-n', 'team'], ['bare']],
    ['several names', ['se', 'fixed', 'auto'], ['fixed', 'auto']],
    ['none', ['se', '-n', 'empty'], []],
  ])('-o yaml prints %s as a List', async (_, words, names) => {
    const list = parse((await get(...words, '-o', 'yaml')).stdout);
    expect(list).toMatchObject({ apiVersion: 'v1', kind: 'List' });
    expect(list.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual(names);
  });

  it.each<[string[], string]>([
    [['se', '-n', 'empty'], 'No resources found in empty namespace.\n'],
    [['-n', ''], ''],
  ])('%j says on stderr that there is nothing', async (words, said) => {
    const { stderr, exitCode } = await get(...words);
    expect({ stderr, exitCode }).toEqual({ stderr: said, exitCode: 0 });
  });

  it('prints what it finds, then what it does not, and exits 1', async () => {
    const { stdout, stderr, exitCode } = await get('se', 'none', 'auto', 'never');
    expect(stdout).toMatch(/^NAME .*\nauto .*\n$/);
    expect(stderr).toBe(
      lines(
        'Error from server (NotFound): serviceentries.networking.istio.io "none" not found',
        'Error from server (NotFound): serviceentries.networking.istio.io "never" not found',
      ),
    );
    expect(exitCode).toBe(1);
  });

  it.each<[string[], string]>([
    [['se', 'auto', '-A'], 'error: a resource cannot be retrieved by name across all namespaces\n'],
    [['pod/auto'], 'error: the server doesn\'t have a resource type "pod": it holds serviceentries\n'],
    [['se', '..'], 'error: invalid name "..": may not be ".."\n'],
    [['se', 'a%2fb'], 'error: invalid name "a%2fb": may not contain "/" or "%"\n'],
    [['se', '-n', '../x'], 'error: invalid namespace "../x": may not contain "/" or "%"\n'],
    [['se', ''], 'error: a name is empty\n'],
  ])('refuses %j', async (words, problem) => {
    expect(await get(...words)).toEqual({ stdout: '', stderr: problem, exitCode: 1 });
  });

  it('quotes in YAML what an older reader would take for something else than text', async () => {
    await server.registry.apply(
      serviceEntry('quoted', { hosts: ['quoted.internal'] }, { namespace: 'quoted', labels: { on: 'yes', n: '1e3' } }),
    );
    const { stdout } = await get('quoted', '-n', 'quoted', '-o', 'yaml');
    expect(parse(stdout, { version: '1.1' }).metadata.labels).toEqual({ on: 'yes', n: '1e3' });
  });

  it('shows how it is used', async () => {
    const { stdout, exitCode } = await get('--help');
    expect(stdout).toMatch(/^Usage: get .*[\s\S]*Server:[\s\S]*Examples:\n {2}meshdoh get serviceentries\n/);
    expect(exitCode).toBe(0);
  });
});
