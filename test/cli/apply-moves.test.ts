import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { applyCommand } from '../../src/cli/apply.ts';
import { DEFAULT_VIEW, deadline } from '../support/registry.ts';
import { type Ran, runVerb } from './run-verb.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await openTestServer();
});
afterAll(() => server.close());

type Hosts = Readonly<Record<string, readonly string[]>>;

interface Overrides {
  readonly protocol?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

const manifest = (entries: Hosts, { protocol = 'HTTP', metadata = {} }: Overrides = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: Object.entries(entries).map(([name, hosts]) => ({
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name, ...metadata },
      spec: { hosts, resolution: 'DNS', ports: [{ name: 'http', number: 80, protocol }] },
    })),
  });

const apply = (stdin: string): Promise<Ran> =>
  runVerb(applyCommand, ['-f', '-'], { environment: { MESHDOH_SERVER: server.url }, stdin });

const vipOf = (host: string) => server.registry.vipOf(host);

/** Asks for the hosts without a pause while the manifest is applied, and says what each has answered with. */
async function answersDuring(hosts: readonly string[], stdin: string): Promise<Map<string, Set<string | undefined>>> {
  const seen = new Map(hosts.map((host) => [host, new Set<string | undefined>()]));
  let applying = true;
  const applied = apply(stdin).finally(() => {
    applying = false;
  });
  let rounds = 0;
  while (applying) {
    const found = await server.registry.reader.find({ hosts }, DEFAULT_VIEW, deadline());
    for (const host of hosts) {
      const answer = found.state === 'known' ? found.hosts.get(host) : undefined;
      seen.get(host)?.add(answer?.vip ? answer.addresses[0] : undefined);
    }
    rounds++;
    await new Promise(setImmediate);
  }
  expect(await applied).toMatchObject({ stderr: '', exitCode: 0 });
  expect(rounds).toBeGreaterThan(3);
  return seen;
}

const hostsOf = async (...names: string[]): Promise<(readonly string[] | undefined)[]> =>
  Promise.all(names.map(async (name) => (await server.registry.entries.get('default', name, deadline()))?.spec.hosts));

describe('a host that moves between two entries of one file', () => {
  beforeEach(async () => {
    for (const name of ['a', 'b', 'c']) await server.registry.remove(name);
  });

  it.each<[string, Hosts, Hosts]>([
    ['from the first to the second', { a: ['x.internal', 'h.internal'] }, { a: ['x.internal'], b: ['h.internal'] }],
    ['from the second to the first', { b: ['x.internal', 'h.internal'] }, { a: ['h.internal'], b: ['x.internal'] }],
    ['in a swap', { a: ['x.internal'], b: ['h.internal'] }, { a: ['h.internal'], b: ['x.internal'] }],
    [
      'in a ring of three',
      { a: ['x.internal'], b: ['h.internal'], c: ['z.internal'] },
      { a: ['z.internal'], b: ['x.internal'], c: ['h.internal'] },
    ],
  ])('%s, is there with its address all the while', async (_, before, after) => {
    expect((await apply(manifest(before))).exitCode).toBe(0);
    const hosts = Object.values(before).flat();
    const vips = new Map(await Promise.all(hosts.map(async (host) => [host, new Set([await vipOf(host)])] as const)));
    expect(await answersDuring(hosts, manifest(after))).toEqual(vips);
    expect(await hostsOf(...Object.keys(after))).toEqual(Object.values(after));
  });

  it('and changes its protocol on the way, goes through all the same: its old claim has to go first', async () => {
    await apply(manifest({ a: ['x.internal', 'h.internal'] }));
    const vip = await vipOf('h.internal');
    const { stdout, stderr } = await apply(manifest({ a: ['x.internal'], b: ['h.internal'] }, { protocol: 'TCP' }));
    expect(stderr).toBe('');
    expect(stdout).toBe('serviceentry.networking.istio.io/a configured\nserviceentry.networking.istio.io/b created\n');
    expect(await vipOf('h.internal')).toBe(vip);
  });

  it('and cannot be taken over, is told once', async () => {
    await apply(manifest({ a: ['x.internal', 'h.internal'], c: ['other.internal'] }));
    const moved = manifest({ a: ['x.internal'], b: ['h.internal'] });
    const { stdout, stderr, exitCode } = await apply(moved.replace('"name":"b"', '"name":"b","labels":{"k":"*"}'));
    expect(stdout).toBe('serviceentry.networking.istio.io/a configured\n');
    expect(stderr.match(/^Error from server/gm)).toHaveLength(1);
    expect(exitCode).toBe(1);
  });

  it('in a swap of an export, which names its versions', async () => {
    await apply(manifest({ a: ['x.internal'], b: ['h.internal'] }));
    const [a, b] = await Promise.all(
      ['a', 'b'].map((name) => server.registry.entries.get('default', name, deadline())),
    );
    const items = [
      { ...a, spec: b?.spec },
      { ...b, spec: a?.spec },
    ];
    const seen = await answersDuring(
      ['x.internal', 'h.internal'],
      JSON.stringify({ kind: 'List', apiVersion: 'v1', items }),
    );
    expect([...seen.values()].map((answers) => answers.size)).toEqual([1, 1]);
    expect(await hostsOf('a', 'b')).toEqual([['h.internal'], ['x.internal']]);
  });
});
