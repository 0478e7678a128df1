import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { kubeconfigCommand } from '../../src/cli/kubeconfig.ts';
import { runVerb, temporaryFolder } from './run-verb.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

/** A working folder in which a server runs: this process stands in for it. */
async function startedFolder(server: object): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, '.meshdoh'));
  await writeFile(join(folder, '.meshdoh/server.json'), JSON.stringify({ pid: process.pid, ...server }));
  await writeFile(join(folder, '.meshdoh/admin-token'), 'the-token\n');
  return folder;
}

const run = (words: string[], surroundings: Parameters<typeof runVerb>[2]) =>
  runVerb(kubeconfigCommand, words, surroundings);

describe('kubeconfig', () => {
  it('names the TLS endpoint of the running server, its authority, and the file of the token', async () => {
    const cwd = await startedFolder({ http: 'http://127.0.0.1:8053', https: 'https://localhost:8443' });
    const ca = join(cwd, 'ca.pem');
    await writeFile(ca, PEM);
    const server = { http: 'http://127.0.0.1:8053', https: 'https://localhost:8443', ca, pid: process.pid };
    await writeFile(join(cwd, '.meshdoh/server.json'), JSON.stringify(server));
    const { stdout, stderr, exitCode } = await run([], { cwd });
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    expect(stdout).not.toContain('the-token');
    expect(parse(stdout)).toEqual({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'meshdoh',
          cluster: {
            server: 'https://localhost:8443',
            'certificate-authority-data': Buffer.from(PEM).toString('base64'),
          },
        },
      ],
      users: [{ name: 'meshdoh', user: { tokenFile: join(cwd, '.meshdoh/admin-token') } }],
      contexts: [{ name: 'meshdoh', context: { cluster: 'meshdoh', user: 'meshdoh', namespace: 'default' } }],
      'current-context': 'meshdoh',
    });
  });

  it('says what signs for kubectl where a server asks for signatures, instead of a file that lets nobody in', async () => {
    const words = ['--auth', 'iam', '--server', 'https://a1.execute-api.eu-west-1.amazonaws.com'];
    const { stdout, stderr, exitCode } = await run(words, {});
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
    expect(stderr).toContain('kubectl does not sign: run "meshdoh proxy --server https://a1.execute-api');
  });

  it('takes the only endpoint of a server without TLS of its own', async () => {
    const cwd = await startedFolder({ http: 'http://127.0.0.1:8053' });
    const { stdout } = await run(['-n', 'team'], { cwd });
    expect(parse(stdout)).toMatchObject({
      clusters: [{ cluster: { server: 'http://127.0.0.1:8053' } }],
      contexts: [{ context: { namespace: 'team' } }],
    });
  });

  it('takes another server, its authority and its token by name', async () => {
    const cwd = await temporaryFolder();
    await writeFile(join(cwd, 'ca.pem'), PEM);
    await writeFile(join(cwd, 'token'), 'the-token');
    const words = ['--server', 'https://dns.example.org/base/', '--cacert', 'ca.pem', '--token-file', 'token'];
    const { clusters, users } = parse((await run(words, { cwd })).stdout);
    expect(clusters[0].cluster).toMatchObject({ server: 'https://dns.example.org/base' });
    expect(clusters[0].cluster).toHaveProperty('certificate-authority-data');
    expect(users[0].user).toEqual({ tokenFile: join(cwd, 'token') });
  });

  it('names no user where there is no credential, as behind the proxy that signs', async () => {
    const cwd = await temporaryFolder();
    const { stdout } = await run(['--server', 'http://127.0.0.1:8001'], { cwd });
    expect(parse(stdout).users).toEqual([{ name: 'meshdoh', user: {} }]);
  });

  it.each<[string, string[], string]>([
    ['no server', [], 'no meshdoh server'],
    ['a file that holds no token', ['--server', 'https://x.example', '--token-file', 'none'], 'there is no such file'],
    ['what is no namespace', ['--server', 'https://x.example', '-n', 'a/b'], 'invalid namespace'],
  ])('refuses %s', async (_, words, problem) => {
    const { stdout, stderr, exitCode } = await run(words, { cwd: await temporaryFolder() });
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
    expect(stderr).toContain(problem);
  });
});
