import { writeFile } from 'node:fs/promises';
import http, { type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { proxyCommand } from '../../src/cli/proxy.ts';
import { type SigningProxy, startSigningProxy } from '../../src/cli/signing-proxy.ts';
import { type Ran, runVerb, temporaryFolder } from './run-verb.ts';
import { isSigned } from './sigv4.ts';

const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };

interface Received {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const received: Received[] = [];
let server: http.Server;
let url: URL;
let proxy: SigningProxy;

beforeEach(async () => {
  received.length = 0;
  server = http.createServer(async (request, response) => {
    const body = Buffer.from(await text(request));
    received.push({ method: request.method ?? '', target: request.url ?? '', headers: request.headers, body });
    if (request.url?.includes('watch')) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('first\n');
      return;
    }
    response.writeHead(201, { 'content-type': 'text/plain', warning: '299 - "careful"' }).end('answer');
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`);
  proxy = await startSigningProxy({
    server: url,
    scope: { region: 'eu-west-1', service: 'execute-api' },
    credentials: async () => CREDENTIALS,
    port: 0,
    now: Date.now,
  });
});
afterEach(async () => {
  await proxy.close();
  server.closeAllConnections();
  server.close();
});

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function ask(path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  http
    .request({ host: '127.0.0.1', port: proxy.port, path, method, headers, agent: false })
    .on('response', resolve)
    .on('error', reject)
    .end(body);
  return promise;
}

describe('the signing proxy', () => {
  it('sends a request on with a signature, and the answer back', async () => {
    const headers = {
      'content-type': 'application/merge-patch+json',
      accept: 'application/json',
      authorization: 'Bearer x',
    };
    const answer = await ask('/apis/x?dryRun=All', { method: 'PATCH', headers, body: '{"a":1}' });
    expect(answer.statusCode).toBe(201);
    expect(answer.headers).toMatchObject({ 'content-type': 'text/plain', warning: '299 - "careful"' });
    expect(await text(answer)).toBe('answer');
    const [request] = received;
    expect(request).toMatchObject({
      method: 'PATCH',
      target: '/base/apis/x?dryRun=All',
      headers: { 'content-type': 'application/merge-patch+json', accept: 'application/json', host: url.host },
    });
    expect(request?.body.toString()).toBe('{"a":1}');
    expect(request?.headers.authorization).toContain('Credential=AKIDEXAMPLE/');
    expect(request && isSigned(request, 'secret')).toBe(true);
  });

  it('signs what has no body', async () => {
    await (await ask('/apis?limit=5&labelSelector=a%3Db')).resume();
    const [request] = received;
    expect(request && isSigned(request, 'secret')).toBe(true);
  });

  it('gives each part of an answer as it comes', async () => {
    const answer = await ask('/apis/x?watch=true');
    const { value } = await answer[Symbol.asyncIterator]().next();
    expect(String(value)).toBe('first\n');
    answer.destroy();
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ['its name was re-pointed', { host: 'rebound.example:8001' }],
    ['it says where it is from', { origin: 'https://page.example' }],
    ['its browser does', { 'sec-fetch-site': 'cross-site' }],
  ])('answers no page: %s', async (_, headers) => {
    const answer = await ask('/apis', { headers });
    expect(answer.statusCode).toBe(403);
    expect(JSON.parse(await text(answer))).toMatchObject({ kind: 'Status', reason: 'Forbidden' });
    expect(received).toEqual([]);
  });

  it('takes no more than the server does', async () => {
    const answer = await ask('/apis', { method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) });
    expect(answer.statusCode).toBe(413);
    expect(received).toEqual([]);
  });

  it('says when there is no server', async () => {
    server.closeAllConnections();
    server.close();
    const answer = await ask('/apis');
    expect(answer.statusCode).toBe(502);
    expect(JSON.parse(await text(answer)).message).toContain('ECONNREFUSED');
  });
});

const run = (words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  runVerb((io) => proxyCommand(io, async () => undefined), words, { environment });

const KEYS = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
const API = 'https://a1.execute-api.eu-west-1.amazonaws.com';

describe('meshdoh proxy', () => {
  beforeEach(async () => {
    const file = join(await temporaryFolder(), 'credentials');
    await writeFile(file, '[ops]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = secret\n');
    const variables = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: `${file}.none`, AWS_PROFILE: 'ops' };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  });
  afterEach(() => vi.unstubAllEnvs());

  it('says where it listens, and how kubectl gets there', async () => {
    const { stdout, stderr, exitCode } = await run(['--server', API, '--port', '0'], KEYS);
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    expect(stdout).toMatch(/meshdoh kubeconfig --server http:\/\/127\.0\.0\.1:\d+ > kubeconfig/);
  });

  it('finds credentials where every AWS tool does, in a profile too', async () => {
    const { stderr, exitCode } = await run(['--server', API, '--port', '0'], { AWS_PROFILE: 'ops' });
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  });

  it('says so before it listens when there are none', async () => {
    vi.stubEnv('AWS_PROFILE', 'nobodys');
    const { stdout, stderr, exitCode } = await run(['--server', API, '--port', '0']);
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
    expect(stderr).toMatch(/^error: no AWS credentials: .*AWS_PROFILE/);
  });

  it.each<[string, string[], Readonly<Record<string, string>>, string]>([
    ['no server', [], KEYS, 'no meshdoh server'],
    ['a server in clear', ['--server', 'http://dns.example.org'], KEYS, 'over https:// only'],
    ['no Region', ['--server', 'https://dns.example.org'], KEYS, 'set --region or AWS_REGION'],
    ['no port', ['--server', API, '--port', '70000'], KEYS, 'a port from 0 to 65535'],
  ])('refuses %s', async (_, words, environment, problem) => {
    const { stderr, exitCode } = await run(words, environment);
    expect(stderr).toContain(problem);
    expect(exitCode).toBe(1);
  });
});
