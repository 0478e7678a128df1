import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { addressBook } from '../../../src/shim/address-book.ts';
import { probeEndpoint } from '../../../src/shim/doctor/endpoint-probe.ts';
import { Closers, temporaryFolder } from '../../support/running-shim.ts';

const closers = new Closers();
afterEach(() => closers.closeAll());

const NOBODY = { servers: [], search: [] };
const SETTINGS = {
  bootstrap: [],
  caFile: undefined,
  tokenFile: undefined,
  tokenIn: 'path',
  auth: 'none',
  stateDir: '/nonexistent',
} as const;
const DNS = { 'content-type': 'application/dns-message' };

/** An endpoint that always says the same, and what it was asked. */
async function endpoint(status: number, headers: Readonly<Record<string, string>>) {
  const asked: { url?: string | undefined; headers?: IncomingHttpHeaders } = {};
  const server = createServer((request, response) => {
    Object.assign(asked, { url: request.url, headers: request.headers });
    response.writeHead(status, headers).end('body');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.add(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port } = server.address() as AddressInfo;
  return { asked, port, url: `http://127.0.0.1:${port}/stage/dns-query?vips=0` };
}

describe('a probe', () => {
  it.each([
    [200, DNS, 'none', { kind: 'answered' }],
    [200, { 'content-type': 'text/html' }, 'none', { kind: 'notDns' }],
    [404, DNS, 'none', { kind: 'status', status: 404 }],
    [403, {}, 'none', { kind: 'status', status: 403 }],
    [403, {}, 'iam', { kind: 'answered' }],
  ] as const)('of an endpoint that says %i %j to auth %s finds %j', async (status, headers, auth, outcome) => {
    const { url, asked } = await endpoint(status, headers);
    const probe = await probeEndpoint(url, { ...SETTINGS, auth }, NOBODY);
    expect(probe.outcome).toEqual(outcome);
    expect(Math.abs(probe.skewMs ?? Number.NaN)).toBeLessThan(5_000);
    expect(asked.url).toMatch(/^\/stage\/dns-query\?vips=0&dns=[\w-]+$/);
    expect(asked.headers?.accept).toBe('application/dns-message');
  });

  it('sends the token as the shim does', async () => {
    const tokenFile = join(await temporaryFolder(closers), 'token');
    await writeFile(tokenFile, 'secret\n', { mode: 0o600 });
    const { url, asked } = await endpoint(200, DNS);
    await probeEndpoint(url, { ...SETTINGS, auth: 'token', tokenFile }, NOBODY);
    expect(asked.url).toMatch(/^\/stage\/secret\/dns-query\?vips=0&dns=/);
    await probeEndpoint(url, { ...SETTINGS, auth: 'token', tokenFile, tokenIn: 'header' }, NOBODY);
    expect(asked.headers?.authorization).toBe('Bearer secret');
  });

  it('goes where the shim has found the endpoint, and asks nobody for it', async () => {
    const { port, asked } = await endpoint(200, DNS);
    const stateDir = await temporaryFolder(closers);
    await addressBook(stateDir).write({ 'doh.example': ['127.0.0.1'] });
    // Who would be asked, if anybody were.
    const original = { servers: ['192.0.2.53'], search: [] };
    const url = `http://doh.example:${port}/x`;
    const probe = await probeEndpoint(url, { ...SETTINGS, stateDir }, original);
    expect(probe.outcome).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('loopback only') });
    expect(asked.url).toBeUndefined();
    expect(
      (await probeEndpoint(url.replace('http:', 'https:'), { ...SETTINGS, stateDir }, original)).outcome,
    ).toMatchObject({
      kind: 'unreachable',
      message: expect.not.stringMatching(/ENOTFOUND|ETIMEOUT|ECONNREFUSED/),
    });
  });

  it('goes to the address of the settings, and to loopback for localhost', async () => {
    const { port, asked } = await endpoint(200, DNS);
    const probe = await probeEndpoint(`http://localhost:${port}/x`, { ...SETTINGS, bootstrap: ['127.0.0.1'] }, NOBODY);
    expect(probe.outcome).toEqual({ kind: 'answered' });
    expect(asked.headers?.host).toBe(`localhost:${port}`);
    expect((await probeEndpoint(`http://localhost:${port}/x`, SETTINGS, NOBODY)).outcome).toEqual({ kind: 'answered' });
  });

  it('says why there is no answer', async () => {
    const { outcome } = await probeEndpoint('https://127.0.0.1:1/dns-query', SETTINGS, NOBODY);
    expect(outcome).toEqual({
      kind: 'unreachable',
      code: 'ECONNREFUSED',
      message: 'connect ECONNREFUSED 127.0.0.1:1',
    });
  });
});
