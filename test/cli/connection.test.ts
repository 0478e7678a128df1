import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { getCommand } from '../../src/cli/get.ts';
import { resolveCommand } from '../../src/cli/resolve.ts';
import { createCertificate } from '../support/certificate.ts';
import { type Ran, runVerb, type Surroundings, temporaryFolder } from './run-verb.ts';
import { openTestServer, type TestServer } from './test-server.ts';

const TOKEN = 'k3y-of-the.administrator~+/=';

const certificate = createCertificate(['localhost']);

let open: TestServer;
let closed: TestServer;
let secure: TestServer;
beforeAll(async () => {
  open = await openTestServer();
  closed = await openTestServer({ token: TOKEN });
  secure = await openTestServer({ tls: certificate });
});
afterAll(async () => {
  await Promise.all([open.close(), closed.close(), secure.close()]);
});

const get = (words: readonly string[], surroundings: Surroundings = {}): Promise<Ran> =>
  runVerb(getCommand, ['se', ...words], surroundings);

/** A working folder with these files. */
async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const cwd = await temporaryFolder();
  await mkdir(join(cwd, '.meshdoh'));
  for (const [file, text] of Object.entries(files)) await writeFile(join(cwd, file), text);
  return cwd;
}

const EMPTY: Ran = { stdout: '', stderr: 'No resources found in default namespace.\n', exitCode: 0 };
const serverFile = (http: string, pid = process.pid) => ({ '.meshdoh/server.json': JSON.stringify({ pid, http }) });
const NOWHERE = 'http://127.0.0.1:1';

describe('the server', () => {
  it('is that of --server, before MESHDOH_SERVER, before the one started in this folder', async () => {
    const environment = { MESHDOH_SERVER: open.url };
    const elsewhere = { MESHDOH_SERVER: NOWHERE };
    expect(await get(['--server', open.url], { environment: elsewhere })).toEqual(EMPTY);
    expect(await get([], { environment, cwd: await folderWith(serverFile(NOWHERE)) })).toEqual(EMPTY);
    expect(await get([], { cwd: await folderWith(serverFile(open.url)) })).toEqual(EMPTY);
  });

  it('may lie below a path', async () => {
    const seen: (string | undefined)[] = [];
    const proxy = createServer(({ url }, response) => {
      seen.push(url);
      response.end('{"items":[]}');
    });
    await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening));
    onTestFinished(() => void proxy.close());
    await get(['--server', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/stage/`]);
    expect(seen).toEqual(['/stage/apis/networking.istio.io/v1/namespaces/default/serviceentries']);
  });

  it('must be named somewhere', async () => {
    const { stderr, exitCode } = await get([]);
    expect(stderr).toBe(
      'error: no meshdoh server: start one with "meshdoh start", or name one with --server or MESHDOH_SERVER\n',
    );
    expect(exitCode).toBe(1);
  });

  it('is gone when its process is', async () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    const { stderr, exitCode } = await get([], { cwd: await folderWith(serverFile(open.url, pid)) });
    expect(stderr).toBe(
      `error: the server that .meshdoh/server.json names (process ${pid}) is gone: ` +
        'start one with "meshdoh start", or name one with --server or MESHDOH_SERVER\n',
    );
    expect(exitCode).toBe(1);
  });

  it.each(['', '{', '[]', 'null', '{"pid":"1","http":"http://127.0.0.1"}', '{"pid":-1,"http":"x"}'])(
    'cannot be read from a damaged file: %s',
    async (text) => {
      const { stderr } = await get([], { cwd: await folderWith({ '.meshdoh/server.json': text }) });
      expect(stderr).toMatch(
        /^error: \.meshdoh\/server\.json is damaged: remove it, and start one with "meshdoh start"/,
      );
    },
  );

  it.each<[string, string]>([
    ['localhost:8053', '--server is "localhost:8053": it takes a URL that begins with http:// or https://'],
    ['ftp://localhost', '--server is "ftp://localhost": it takes a URL that begins with http:// or https://'],
    ['http://localhost/?a=b', '--server is "http://localhost/?a=b": it takes a URL without "?" and "#"'],
    ['http://me:secret@localhost', '--server holds credentials: use --token-file'],
  ])('cannot be %s', async (url, problem) => {
    expect((await get(['--server', url])).stderr).toBe(`error: ${problem}\n`);
  });
});

describe('the credential', () => {
  it('is that of --token-file, before MESHDOH_TOKEN_FILE, before the one of this folder', async () => {
    const files = { right: `${TOKEN}\n`, wrong: 'wrong\n' };
    const server = ['--server', closed.url];
    const cwd = await folderWith({ ...files, '.meshdoh/admin-token': 'wrong' });
    const environment = { MESHDOH_TOKEN_FILE: 'wrong' };
    expect(await get([...server, '--token-file', 'right'], { cwd, environment })).toEqual(EMPTY);
    expect(await get(server, { cwd, environment: { MESHDOH_TOKEN_FILE: 'right' } })).toEqual(EMPTY);
    expect(await get(server, { cwd: await folderWith({ '.meshdoh/admin-token': TOKEN }) })).toEqual(EMPTY);
  });

  it('is not needed where the server asks for none, and does no harm there', async () => {
    const cwd = await folderWith({ '.meshdoh/admin-token': TOKEN });
    expect(await get(['--server', open.url], { cwd })).toEqual(EMPTY);
  });

  it('is asked for by the server', async () => {
    const { stderr, exitCode } = await get(['--server', closed.url]);
    expect(stderr).toBe(
      'Error from server (Unauthorized): an administrator token is needed: --token-file, MESHDOH_TOKEN_FILE\n',
    );
    expect(exitCode).toBe(1);
  });

  it('that is not accepted is told by its file, never by its text', async () => {
    const cwd = await folderWith({ mine: 'not-the-token' });
    const words = ['--server', closed.url, '--token-file', 'mine'];
    const refused = 'the token of mine (--token-file) is not accepted';
    expect((await get(words, { cwd })).stderr).toBe(`Error from server (Unauthorized): ${refused}\n`);
    const { stdout, stderr } = await runVerb(resolveCommand, ['auto.internal', '--trace', ...words], { cwd });
    expect(stderr).toBe(`error: ${closed.url}/ answers HTTP 401: a valid token is needed: ${refused}\n`);
    expect(stdout).toMatch(/^credential +the token of mine \(--token-file\)$/m);
    expect(stdout).not.toContain('not-the-token');
  });

  it('lets a view ask, too', async () => {
    const cwd = await folderWith({ '.meshdoh/admin-token': TOKEN });
    const { stderr } = await runVerb(resolveCommand, ['none.internal', '--server', closed.url], { cwd });
    expect(stderr).toBe('none.internal: NXDOMAIN\n');
  });

  it.each<[string, string]>([
    ['none', 'cannot read none (--token-file): there is no such file'],
    ['.meshdoh', 'cannot read .meshdoh (--token-file): it is a folder'],
    ['empty', 'empty (--token-file) holds no token: '],
    ['two', 'two (--token-file) holds no token: '],
  ])('cannot be read from the file %s', async (file, problem) => {
    const cwd = await folderWith({ empty: '\n', two: 'one\ntwo\n' });
    const { stderr, exitCode } = await get(['--server', open.url, '--token-file', file], { cwd });
    expect(stderr).toContain(`error: ${problem}`);
    expect(exitCode).toBe(1);
  });

  it('is sent in the clear with a warning, unless it stays on this machine', async () => {
    const warning = 'Warning: the token goes to http://0.0.0.0:1 unencrypted: use https://\n';
    const withToken = { '.meshdoh/admin-token': TOKEN };
    const named = await get(['--server', 'http://0.0.0.0:1'], { cwd: await folderWith(withToken) });
    expect(named.stderr).toMatch(new RegExp(`^${warning}error: `));
    const started = await get([], { cwd: await folderWith({ ...withToken, ...serverFile('http://0.0.0.0:1') }) });
    expect(started.stderr).toMatch(/^error: /);
  });
});

describe('TLS', () => {
  it('trusts the authority of --cacert', async () => {
    const cwd = await folderWith({ 'ca.pem': certificate.ca });
    expect(await get(['--server', secure.url, '--cacert', 'ca.pem'], { cwd })).toEqual(EMPTY);
    const words = ['none.internal', '--trace', '--server', secure.url, '--cacert', 'ca.pem'];
    expect((await runVerb(resolveCommand, words, { cwd })).stdout).toMatch(/^connect +\S+, TLSv1\.3, \d+\.\d ms$/m);
  });

  it.each<[string, () => string[], string]>([
    ['an unknown authority', () => ['--server', secure.url], 'name the PEM file of that authority with --cacert'],
    [
      'another name',
      () => ['--server', secure.url.replace('localhost', '127.0.0.1'), '--cacert', 'ca.pem'],
      'its certificate is for another name',
    ],
    ['a server without TLS', () => ['--server', open.url.replace('http', 'https')], 'it does not speak TLS'],
    ['a server with TLS only', () => ['--server', secure.url.replace('https', 'http')], 'http:// and https://?'],
    ['a file without certificate', () => ['--server', secure.url, '--cacert', 'text'], 'text (--cacert) holds no cert'],
    ['a CA file that is not there', () => ['--server', secure.url, '--cacert', 'no'], 'cannot read no (--cacert): '],
  ])('fails in words for %s', async (_, words, problem) => {
    const cwd = await folderWith({ 'ca.pem': certificate.ca, text: 'text' });
    const { stderr, exitCode } = await get(words(), { cwd });
    expect(stderr).toContain(problem);
    expect(stderr.match(/\n/g)).toHaveLength(1);
    expect(exitCode).toBe(1);
  });
});

describe('a server that is not there', () => {
  it('is told with its URL, what named it, the reason and the remedy', async () => {
    const { stderr } = await get([], { environment: { MESHDOH_SERVER: NOWHERE } });
    expect(stderr).toBe(
      'error: cannot reach the meshdoh server at http://127.0.0.1:1/ (from MESHDOH_SERVER): connection refused: ' +
        'is it running? "meshdoh start" starts one; --server or MESHDOH_SERVER names another\n',
    );
  });

  it.each(['0', '-1', 'soon', '10x', ''])('is not waited for with --request-timeout %j', async (timeout) => {
    const { stderr, exitCode } = await get([`--request-timeout=${timeout}`]);
    expect(stderr).toContain('It takes a duration such as 10s, 500ms or 1m.');
    expect(exitCode).toBe(1);
  });
});

describe('a server that is another', () => {
  it.each<[string, number, string, string, string]>([
    [
      'a page',
      200,
      'text/html',
      '<html>',
      'answers HTTP 200, and not as the ServiceEntry API: is it a meshdoh server?',
    ],
    ['a refusal in words', 421, 'text/plain', 'localhost only\nx', 'answers HTTP 421: localhost only, and not as'],
    ['other JSON', 200, 'application/json', '[1]', 'and not as the ServiceEntry API'],
    [
      'a list of other things',
      200,
      'application/json',
      '{"items":[{"kind":"Pod"}]}',
      'and not as the ServiceEntry API',
    ],
  ])('answers with %s', async (_, status, type, body, problem) => {
    const other = createServer((__, response) => void response.writeHead(status, { 'content-type': type }).end(body));
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const { stderr, exitCode } = await get(['--server', `http://127.0.0.1:${port}`]);
    expect(stderr).toContain(problem);
    expect(exitCode).toBe(1);
  });
});
