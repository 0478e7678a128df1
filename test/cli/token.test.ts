import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { tokenCommand, tryLine } from '../../src/cli/token.ts';
import { isTokenShaped } from '../../src/registry/token-format.ts';
import { type OperatorServer, openOperatorServer } from '../support/operator-server.ts';
import { type Ran, runVerb } from './run-verb.ts';

let server: OperatorServer;
beforeAll(async () => {
  server = await openOperatorServer();
});
afterAll(() => server.close());

const token = (...words: readonly string[]): Promise<Ran> =>
  runVerb(tokenCommand, words, { environment: { MESHDOH_SERVER: server.url } });

const listed = async () =>
  JSON.parse((await token('list', '-o', 'json')).stdout).items as { id: string; label: string }[];

describe('token create', () => {
  it('shows the token this once, with a line to paste', async () => {
    const { stdout, exitCode } = await token('create', '--label', 'vm fleet', '--for', 'vm');
    const made = /^ {2}(mdh_\w+)$/m.exec(stdout)?.[1] ?? '';
    expect(exitCode).toBe(0);
    expect(isTokenShaped(made)).toBe(true);
    expect(stdout).toContain(`DoH endpoint:  ${server.url}/${made}/dns-query`);
    expect(stdout).toContain(`curl '${server.url}/${made}/dns-query?name=example.com&type=A'`);
    expect(JSON.stringify(await listed())).not.toContain(made);
  });

  it('prints nothing but the token with -o token, for a file or a variable', async () => {
    const { stdout, stderr } = await token('create', '--label', 'a script', '--for', 'vm', '-o', 'token');
    expect(stdout).toMatch(/^mdh_\w+\n$/);
    expect(isTokenShaped(stdout.trim())).toBe(true);
    expect(stderr).toBe('');
  });

  it.each([
    [['--for', 'vm'], 'client', { vips: true }],
    [['--for', 'client'], 'client', { vips: false }],
    [['--for', 'admin'], 'admin', {}],
    [
      [
        '--for',
        'vm',
        '-n',
        'team-a',
        '--search-domain',
        'a.internal',
        '--search-domain',
        'internal',
        '--family',
        'ipv4,ipv6',
      ],
      'client',
      { vips: true, namespace: 'team-a', searchDomains: ['a.internal', 'internal'], families: ['ipv4', 'ipv6'] },
    ],
  ])('with %j makes one of kind %s with view %j', async (words, kind, view) => {
    const { stdout } = await token('create', '--label', 'a', ...words, '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({ kind, view, label: 'a' });
    expect(JSON.parse(stdout).view).toEqual(view);
  });

  it.each([
    [undefined, /^curl 'https:\/\/doh\.example\/base\/mdh_x\/dns-query\?name=example\.com&type=A' /],
    ["it's.pem", /^curl --cacert 'it'\\''s\.pem' 'https:/],
  ])('over TLS says how with the authorities %s', (cacert, pattern) => {
    const line = tryLine({ url: new URL('https://doh.example/base/') }, { token: 'mdh_x', kind: 'client' }, cacert);
    expect(line).toMatch(pattern);
    expect(line).toContain("curl --doh-url 'https://doh.example/base/mdh_x/dns-query' URL");
  });

  it.each([
    ['90d', 90 * 86_400_000],
    ['12h', 12 * 3_600_000],
  ])('--expires %s ends it then', async (duration, ms) => {
    const before = Date.now();
    const { stdout } = await token('create', '--label', 'a', '--for', 'client', '--expires', duration, '-o', 'yaml');
    const end = Date.parse(parse(stdout).expiresAt);
    expect(Math.abs(end - before - ms)).toBeLessThan(60_000);
  });

  it.each([
    [['--for', 'client'], '--label'],
    [['--label', 'a'], '--for'],
    [['--label', 'a', '--for', 'browser'], 'Allowed choices'],
    [['--label', 'a', '--for', 'client', '--expires', 'never'], 'a duration such as 90d'],
    [['--label', 'a', '--for', 'client', '--expires', '0d'], 'a duration such as 90d'],
    [['--label', 'a', '--for', 'admin', '-n', 'x'], 'an administrator token has no view'],
    [['--label', 'a', '--for', 'vm', '-n', 'No'], 'view.namespace'],
  ])('refuses %j', async (words, message) => {
    const count = (await listed()).length;
    const { stderr, stdout, exitCode } = await token('create', ...words);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
    expect(await listed()).toHaveLength(count);
  });
});

describe('token list and revoke', () => {
  it('show ids, and end tokens by them', async () => {
    await token('create', '--label', 'to be ended', '--for', 'client', '-n', 'team-z', '--expires', '1d');
    const id = (await listed()).find(({ label }) => label === 'to be ended')?.id ?? '';
    const { stdout } = await token('list');
    expect(stdout).toMatch(/^ID +KIND +LABEL +VIEW +EXPIRES +AGE\n/);
    expect(stdout).toMatch(
      new RegExp(`^${id} +client +to be ended +vips=false namespace=team-z +\\d{4}-.*Z +\\d+s$`, 'm'),
    );
    const revoked = await token('revoke', id, '000000000000');
    expect(revoked).toMatchObject({ exitCode: 1, stdout: `token ${id} revoked\n` });
    expect(revoked.stderr).toContain('there is no token "000000000000"');
    expect((await listed()).map((one) => one.id)).not.toContain(id);
  });

  it('do not take a token itself, which would be in the history of the shell', async () => {
    const { exitCode, stderr } = await token('revoke', 'mdh_something');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('by its id');
  });

  it('say that there are none', async () => {
    for (const { id } of await listed()) await token('revoke', id);
    expect(await token('list')).toMatchObject({ stdout: '', stderr: 'No tokens found.\n', exitCode: 0 });
  });
});
