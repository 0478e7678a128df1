import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteCommand } from '../../src/cli/delete.ts';
import { deadline, serviceEntry } from '../support/registry.ts';
import { type Ran, runVerb } from './run-verb.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await openTestServer();
});
afterAll(() => server.close());

const remove = (words: readonly string[], stdin = ''): Promise<Ran> =>
  runVerb(deleteCommand, words, { environment: { MESHDOH_SERVER: server.url }, stdin });

const register = (name: string, namespace = 'default') =>
  server.registry.apply(serviceEntry(name, { hosts: [`${name}.internal`] }, { namespace }));

const exists = async (name: string, namespace = 'default'): Promise<boolean> =>
  (await server.registry.entries.get(namespace, name, deadline())) !== undefined;

const deleted = (name: string, suffix = ''): string => `serviceentry.networking.istio.io "${name}" deleted${suffix}\n`;

const notFound = (name: string): string =>
  `Error from server (NotFound): serviceentries.networking.istio.io "${name}" not found\n`;

/** Lets the first call through to the server, and says that it had no time for it. */
async function loseFirstAnswer(url: string): Promise<{ port: number; close: () => Promise<void> }> {
  let calls = 0;
  const proxy = createServer(async ({ method = 'GET', url: target = '/' }, response) => {
    const answer = await fetch(new URL(target, url), { method });
    const isLost = ++calls === 1;
    const busy = JSON.stringify({ kind: 'Status', reason: 'ServiceUnavailable', message: 'no time' });
    const text = isLost ? busy : await answer.text();
    response.writeHead(isLost ? 503 : answer.status, { 'retry-after': '0', 'content-type': 'application/json' });
    response.end(text);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  return { port, close: () => new Promise((resolve) => proxy.close(() => resolve())) };
}

describe('delete', () => {
  it('deletes the entries that are named, and reports those that are not there', async () => {
    await register('a');
    await register('b');
    expect(await remove(['se', 'a', 'none', 'b'])).toEqual({
      stdout: deleted('a') + deleted('b'),
      stderr: notFound('none'),
      exitCode: 1,
    });
    expect([await exists('a'), await exists('b')]).toEqual([false, false]);
  });

  it('keeps to its namespace', async () => {
    await register('placed', 'team');
    expect((await remove(['placed'])).stderr).toBe(notFound('placed'));
    expect((await remove(['placed', '-n', 'team'])).stdout).toBe(deleted('placed'));
  });

  it('--ignore-not-found takes an absence for success', async () => {
    expect(await remove(['se/none', '--ignore-not-found'])).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  });

  it('takes it for deleted when it is gone after a call that the server had no time for', async () => {
    await register('slow');
    const { port, close } = await loseFirstAnswer(server.url);
    const environment = { MESHDOH_SERVER: `http://127.0.0.1:${port}` };
    expect(await runVerb(deleteCommand, ['slow'], { environment })).toEqual({
      stdout: deleted('slow'),
      stderr: '',
      exitCode: 0,
    });
    expect((await runVerb(deleteCommand, ['slow'], { environment })).stderr).toBe(notFound('slow'));
    await close();
  });

  it.each([
    ['client', ' (dry run)'],
    ['server', ' (server dry run)'],
  ])('--dry-run=%s deletes nothing', async (who, suffix) => {
    await register('kept');
    expect(await remove(['kept', `--dry-run=${who}`])).toEqual({
      stdout: deleted('kept', suffix),
      stderr: '',
      exitCode: 0,
    });
    expect(await exists('kept')).toBe(true);
    expect((await remove(['none', `--dry-run=${who}`])).stderr).toBe(notFound('none'));
  });

  it('-f deletes what manifests are about, valid or not, and reports objects of other kinds', async () => {
    await register('of-file', 'team');
    const documents = [
      'apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: of-file, namespace: team }\n',
      'apiVersion: v1\nkind: Secret\nmetadata: { name: other }\n',
    ];
    const { stdout, stderr, exitCode } = await remove(['-f', '-'], documents.join('---\n'));
    expect(stdout).toBe(deleted('of-file'));
    expect(stderr).toMatch(
      /^error: cannot delete "STDIN" \(document 2\): no matches for kind "Secret" in version "v1"/,
    );
    expect(exitCode).toBe(1);
  });

  it('-o name prints the names alone', async () => {
    await register('named');
    expect((await remove(['named', '-o', 'name'])).stdout).toBe('serviceentry.networking.istio.io/named\n');
  });

  it.each<[string, string[], string]>([
    ['nothing at all', [], 'error: nothing to delete is named: give names of entries, -f, --selector or --all\n'],
    ['a kind alone', ['se'], 'error: nothing to delete is named: give names of entries, -f, --selector or --all\n'],
    ['names beside -f', ['a', '-f', '-'], 'error: names, -f, --selector and --all exclude each other\n'],
    ['an empty manifest', ['-f', '-'], 'error: no objects passed to delete\n'],
  ])('refuses %s', async (_, words, problem) => {
    expect(await remove(words)).toEqual({ stdout: '', stderr: problem, exitCode: 1 });
  });
});
