import { chmod, rename, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import aws4 from 'aws4';
import { afterEach, describe, expect, it } from 'vitest';
import { type AwsCredentials, InstanceMetadata, RoleCredentials, regionOf, signWith } from '../../src/shim/iam.ts';
import { readToken, TokenFile } from '../../src/shim/token-file.ts';
import { createCertificate } from '../support/certificate.ts';
import { answersOf } from '../support/dns.ts';
import { MeshEndpoint } from '../support/mesh-endpoint.ts';
import { Closers, startShim, temporaryFolder } from '../support/running-shim.ts';

const closers = new Closers();
afterEach(() => closers.closeAll());

const HOUR_MS = 3_600_000;

/** The instance metadata service, version 2: only with a session token, which takes a PUT to get. */
async function startMetadata(expiresAt = () => Date.now() + 6 * HOUR_MS) {
  const requests: string[] = [];
  const state = { requests, keys: 0, isAway: false };
  const pages: Readonly<Record<string, () => string>> = {
    '/latest/meta-data/iam/security-credentials/': () => 'shim-role',
    '/latest/meta-data/placement/region': () => 'eu-west-1',
    '/latest/meta-data/iam/security-credentials/shim-role': () =>
      JSON.stringify({
        Code: 'Success',
        AccessKeyId: `AKID${++state.keys}`,
        SecretAccessKey: 'secret',
        Token: 'session',
        Expiration: new Date(expiresAt()).toISOString(),
      }),
  };
  const server = http.createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    requests.push(`${method} ${url}`);
    if (state.isAway) return response.writeHead(500).end();
    if (method === 'PUT' && headers['x-aws-ec2-metadata-token-ttl-seconds']) return response.end('a session token');
    if (headers['x-aws-ec2-metadata-token'] !== 'a session token') return response.writeHead(401).end();
    const page = pages[url];
    return page === undefined ? response.writeHead(404).end() : response.end(page());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.add(() => server.close());
  return Object.assign(state, { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

describe('the credentials of an instance', () => {
  it('come from its metadata service, with a session', async () => {
    const { endpoint, requests } = await startMetadata();
    const metadata = new InstanceMetadata(endpoint);
    expect(await metadata.credentials()).toMatchObject({ accessKeyId: 'AKID1', sessionToken: 'session' });
    expect(await metadata.region()).toBe('eu-west-1');
    expect(requests[0]).toBe('PUT /latest/api/token');
  });

  it('are renewed before they end, and serve on while the service is away', async () => {
    const clock = { now: Date.now() };
    const service = await startMetadata(() => clock.now + HOUR_MS);
    const metadata = new InstanceMetadata(service.endpoint);
    const failures: unknown[] = [];
    const ports = { fetch: () => metadata.credentials(), failed: (error: unknown) => failures.push(error) };
    const role = new RoleCredentials({ ...ports, now: () => clock.now });
    closers.add(() => role.close());
    expect(() => role.current).toThrow('no credentials');
    await role.renew();
    expect(role.current.accessKeyId).toBe('AKID1');
    service.isAway = true;
    await role.renew();
    await role.renew();
    expect(role.current.accessKeyId).toBe('AKID1');
    expect(failures).toHaveLength(1);
    clock.now += HOUR_MS;
    expect(() => role.current).toThrow('have ended');
    service.isAway = false;
    await role.renew();
    expect(role.current.accessKeyId).toBe('AKID2');
  });

  it('sign host, path, headers and body, as another implementation of SigV4 does', () => {
    const credentials: AwsCredentials = {
      accessKeyId: 'AKID',
      secretAccessKey: 'secret',
      sessionToken: 'session',
      expiresAt: 0,
    };
    const url = new URL('https://abc.execute-api.eu-west-1.amazonaws.com/iam/dns-query?vips=0');
    const headers = { 'content-type': 'application/dns-message', 'content-length': '3' };
    const body = Buffer.from('abc');
    const signed = signWith(() => credentials, 'eu-west-1')({ method: 'POST', url, headers, body }).headers;
    expect(signed?.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-west-1\/execute-api\/aws4_request/,
    );
    expect(signed?.['x-amz-security-token']).toBe('session');
    const again = aws4.sign(
      {
        service: 'execute-api',
        region: 'eu-west-1',
        method: 'POST',
        host: url.host,
        path: '/iam/dns-query?vips=0',
        headers: { ...headers, 'X-Amz-Date': signed?.['x-amz-date'] ?? '' },
        body,
      },
      credentials,
    );
    expect(signed?.authorization).toBe((again.headers as Record<string, string>).Authorization);
  });

  it.each([
    ['abc.execute-api.eu-west-1.amazonaws.com', 'eu-west-1'],
    ['abc.lambda-url.us-east-2.on.aws', 'us-east-2'],
    ['mesh.example.org', undefined],
  ])('belong to the region in the name %s', (host, region) => {
    expect(regionOf(host)).toBe(region);
  });

  it('go with every query, and with the request for the table', async () => {
    const { endpoint: metadataEndpoint } = await startMetadata();
    const doh = await MeshEndpoint.start(createCertificate(['127.0.0.1']));
    closers.add(() => doh.takeAway());
    const { ask } = await startShim(closers, { endpoints: [doh], metadataEndpoint, conf: 'auth = iam' });
    expect(answersOf(await ask('www.example.org'))).toHaveLength(1);
    for (const { headers } of doh.requests) expect(headers.authorization).toContain('eu-west-1/execute-api');
    expect(doh.requests.map(({ method }) => method).sort()).toEqual(['GET', 'POST']);
  });
});

describe('a token file', () => {
  it('that others may read, or that holds no token, is refused without showing it', async () => {
    const path = join(await temporaryFolder(closers), 'token');
    await expect(readToken(path)).rejects.toThrow('no such file');
    await writeFile(path, 'secret-token\n', { mode: 0o640 });
    await expect(readToken(path)).rejects.toThrow('chmod 0600');
    await chmod(path, 0o600);
    expect(await readToken(path)).toBe('secret-token');
    await writeFile(path, 'secret token!');
    const error = await readToken(path).catch((reason: Error) => reason.message);
    expect(error).toContain('holds no token');
    expect(error).not.toContain('secret');
  });

  it('that is replaced is followed, and the last good token serves until then', async () => {
    const path = join(await temporaryFolder(closers), 'token');
    await writeFile(path, 'first', { mode: 0o600 });
    const failures: unknown[] = [];
    const file = await TokenFile.open(path, (error) => failures.push(error));
    closers.add(() => file.close());
    await writeFile(`${path}.new`, 'not a token', { mode: 0o600 });
    await rename(`${path}.new`, path);
    await file.refresh();
    await file.refresh();
    expect(file.token).toBe('first');
    expect(failures).toHaveLength(1);
    await writeFile(`${path}.new`, 'second', { mode: 0o600 });
    await rename(`${path}.new`, path);
    await file.refresh();
    expect(file.token).toBe('second');
  });

  it.each([
    ['path', '/first-token/dns-query?vips=0', undefined],
    ['header', '/dns-query?vips=0', 'Bearer first-token'],
  ])('goes into the %s, and a new one is used without a gap', async (where, path, authorization) => {
    const doh = await MeshEndpoint.start(createCertificate(['127.0.0.1']));
    closers.add(() => doh.takeAway());
    const stateDir = await temporaryFolder(closers);
    const tokenFile = join(stateDir, 'token');
    await writeFile(tokenFile, 'first-token', { mode: 0o600 });
    const conf = `token-file = ${tokenFile}\ntoken-in = ${where}`;
    const { ask, shim, settings, lines } = await startShim(closers, { endpoints: [doh], stateDir, conf });
    await ask('one.example.org');
    const first = doh.requests.find(({ query }) => query);
    expect(first?.path).toBe(path);
    expect(first?.headers.authorization).toBe(authorization);
    expect(doh.tableRequests[0]?.path).toBe(path.replace('dns-query', 'v1/table'));
    await writeFile(tokenFile, 'second-token', { mode: 0o600 });
    await shim.reload(settings);
    await ask('two.example.org');
    const last = doh.requests.findLast(({ query }) => query);
    expect(`${last?.path} ${last?.headers.authorization}`).toContain('second-token');
    expect(lines.join()).not.toContain('-token');
    expect(shim.metrics.text([])).not.toContain('-token');
    expect(JSON.stringify(shim.status())).not.toContain('-token');
  });
});
