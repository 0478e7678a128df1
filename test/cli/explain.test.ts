import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { explainCommand } from '../../src/cli/explain.ts';
import { type OperatorServer, openOperatorServer } from '../support/operator-server.ts';
import { serviceEntry } from '../support/registry.ts';
import { type Ran, runVerb } from './run-verb.ts';

let server: OperatorServer;
let vip: string;
beforeAll(async () => {
  server = await openOperatorServer();
  await server.registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }));
  await server.registry.apply(
    serviceEntry('theirs', { hosts: ['auto.internal'], exportTo: ['.'] }, { namespace: 'team-a' }),
  );
  vip = (await server.registry.vipOf('auto.internal')) ?? '';
});
afterAll(() => server.close());

const explain = (...words: readonly string[]): Promise<Ran> =>
  runVerb(explainCommand, words, { environment: { MESHDOH_SERVER: server.url } });

describe('explain', () => {
  it('tells people why a registered name resolves as it does', async () => {
    const { stdout, exitCode } = await explain('auto.internal');
    expect(exitCode).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'name:       auto.internal A',
      'view:       namespace default, vips true, families ipv4',
      'decided by: a registered host of this name (default/auto.internal)',
      'answer:     NOERROR',
      `            auto.internal 300 IN A ${vip}`,
      'TTL:        300 s, from setting ttl.vip',
      expect.stringMatching(`^virtual IP: ${vip}, 2001:2::[0-9a-f:]+: live, default/auto.internal$`),
      'host:       auto.internal',
      '            answers: default/auto (DNS): with its virtual IP',
      '            invisible: team-a/theirs (DNS): exportTo (.) does not include namespace "default"',
      '',
    ]);
  });

  it.each([
    [
      ['nothing.cluster.local'],
      ['a private zone', 'NXDOMAIN, SOA of cluster.local', 'registered: no; nothing of this suffix is'],
    ],
    [
      ['www.example.com'],
      ['it is forwarded', 'upstreams:  https://cloudflare-dns.com, then https://dns.quad9.net (by default)'],
    ],
    [
      ['localhost', 'AAAA'],
      ['a special name', 'localhost 86400 IN AAAA ::1'],
    ],
    [
      ['auto.internal', '-n', 'team-a'],
      ['namespace team-a', 'answers: team-a/theirs'],
    ],
    [['auto.internal', '--vips', '0'], ['no answer: default/auto (DNS): it has nothing but a virtual IP']],
  ])('tells of %j', async (words, texts) => {
    const { stdout } = await explain(...words);
    for (const text of texts) expect(stdout).toContain(text);
  });

  it('prints all of it as JSON and YAML', async () => {
    const json = JSON.parse((await explain('auto.internal', '-o', 'json')).stdout);
    expect(json).toMatchObject({ step: 'exact', vip: { state: 'live' } });
    expect(parse((await explain('auto.internal', '-o', 'yaml')).stdout)).toEqual(json);
  });

  it.each([
    [['a..b'], 'name: "a..b" is not a domain name'],
    [['a.b', 'NONE'], 'type: "NONE" is not a record type'],
  ])('refuses %j', async (words, message) => {
    expect(await explain(...words)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(message) });
  });
});
