import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { applyCommand } from '../../src/cli/apply.ts';
import { getCommand } from '../../src/cli/get.ts';
import { resolveCommand } from '../../src/cli/resolve.ts';
import { signRequest } from '../../src/cli/sign-request.ts';
import { runVerb, temporaryFolder } from './run-verb.ts';

const KEY = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'session' };
const NOW = Date.parse('2026-11-01T12:00:00Z');
const LAUNCH = join(import.meta.dirname, '../../src/cli/launch.mjs');

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** What stands before a deployment, and notes what it is sent. */
async function openGateway(answer: (response: ServerResponse) => void): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, headers, body: Buffer.concat(chunks) });
    answer(response);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const emptyList = (response: ServerResponse) =>
  response.end(JSON.stringify({ kind: 'ServiceEntryList', items: [], metadata: { resourceVersion: '1' } }));

const MANIFEST = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: auto, namespace: team é }
spec: { hosts: [auto.internal] }
`;

describe('--auth iam', () => {
  it('signs each request as it is sent, body and query included', async () => {
    const { url, seen } = await openGateway(emptyList);
    const environment = { ...KEY, AWS_REGION: 'eu-central-1', MESHDOH_SERVER: url };
    await runVerb(applyCommand, ['-f', '-', '--auth', 'iam'], { environment, stdin: MANIFEST, now: NOW });
    const [sent] = seen;
    if (!sent) throw new Error('nothing was sent');
    const { headers, method, url: target, body } = sent;
    expect(headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20261101\/eu-central-1\/execute-api\/aws4_request, /,
    );
    expect(headers['x-amz-security-token']).toBe('session');
    const again = signRequest(
      { method, host: new URL(url).host, target, contentType: headers['content-type'] ?? '', body },
      { region: 'eu-central-1', service: 'execute-api' },
      { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', sessionToken: 'session' },
      NOW,
    );
    expect(headers.authorization).toBe(again.headers.authorization);
  });

  it('asks for names below /iam, where signed queries go', async () => {
    const { url, seen } = await openGateway((response) => response.writeHead(500).end());
    const environment = { ...KEY, MESHDOH_SERVER: url };
    await runVerb(resolveCommand, ['a.internal', '--auth', 'iam', '--region', 'us-east-1'], { environment });
    expect(seen[0]?.url).toBe('/iam/dns-query');
  });

  it('never sends the token of the folder', async () => {
    const { url, seen } = await openGateway(emptyList);
    const cwd = await temporaryFolder();
    const file = join(cwd, 'token');
    await writeFile(file, 'the-token');
    const environment = { ...KEY, MESHDOH_SERVER: url, MESHDOH_TOKEN_FILE: file };
    await runVerb(getCommand, ['--auth', 'iam', '--region', 'us-east-1'], { environment, cwd });
    expect(JSON.stringify(seen)).not.toContain('the-token');
  });

  it.each<[string, Record<string, string>, string[], RegExp]>([
    ['a Region that nobody names', {}, [], /does not name its AWS Region: set --region or AWS_REGION/],
    ['a server in clear', { MESHDOH_SERVER: 'http://dns.example' }, [], /signed requests go over https:\/\/ only/],
    ['a token beside it', { AWS_REGION: 'us-east-1' }, ['--token-file', 'x'], /--auth iam and --token-file exclude/],
  ])('refuses %s', async (_, variables, words, problem) => {
    const environment = { ...KEY, MESHDOH_SERVER: 'http://127.0.0.1:1', ...variables };
    const { stderr, exitCode } = await runVerb(getCommand, ['--auth', 'iam', ...words], { environment });
    expect(stderr).toMatch(problem);
    expect(exitCode).toBe(1);
  });

  it.each<[string[], RegExp]>([
    [['--auth', 'iam', '--region', 'us-east-1'], /before meshdoh is asked: does the policy of this identity allow it/],
    [[], /before meshdoh is asked: it asks for a signature: use --auth iam/],
  ])('with %j says what a refusal of AWS itself means', async (words, problem) => {
    const { url } = await openGateway((response) =>
      response
        .writeHead(403, { 'apigw-requestid': 'x', 'content-type': 'application/json' })
        .end('{"message":"Forbidden"}'),
    );
    const { stderr } = await runVerb(getCommand, words, { environment: { ...KEY, MESHDOH_SERVER: url } });
    expect(stderr).toMatch(problem);
  });

  it('takes the credentials of a profile', async () => {
    const { url, seen } = await openGateway(emptyList);
    const cwd = await temporaryFolder();
    await writeFile(join(cwd, 'credentials'), '[ops]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n');
    const env = {
      PATH: process.env.PATH,
      AWS_PROFILE: 'ops',
      AWS_REGION: 'us-east-1',
      AWS_SHARED_CREDENTIALS_FILE: join(cwd, 'credentials'),
      AWS_CONFIG_FILE: join(cwd, 'config'),
      MESHDOH_SERVER: url,
    };
    await promisify(execFile)(process.execPath, [LAUNCH, 'get', 'se', '--auth', 'iam'], { env, cwd });
    expect(seen[0]?.headers.authorization).toContain('Credential=AKIDPROFILE/');
  });

  it('says where credentials come from when there are none', async () => {
    const cwd = await temporaryFolder();
    const env = {
      PATH: process.env.PATH,
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SHARED_CREDENTIALS_FILE: join(cwd, 'credentials'),
      AWS_CONFIG_FILE: join(cwd, 'config'),
      MESHDOH_SERVER: 'http://127.0.0.1:1',
    };
    const ran = promisify(execFile)(process.execPath, [LAUNCH, 'get', 'se', '--auth', 'iam'], { env, cwd });
    await expect(ran).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: no AWS credentials: .*AWS_PROFILE/),
    });
  });
});
