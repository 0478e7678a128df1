import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { resolveCommand } from '../../src/cli/resolve.ts';
import { query, queryWire, responseWire } from '../support/dns.ts';
import { serviceEntry } from '../support/registry.ts';
import { type Ran, runVerb } from './run-verb.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await openTestServer();
  const { registry } = server;
  await registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }));
  await registry.apply(
    serviceEntry('fixed', { hosts: ['fixed.internal'], resolution: 'STATIC', endpoints: [{ address: '192.0.2.1' }] }),
  );
});
afterAll(() => server.close());

const resolve = (...words: readonly string[]): Promise<Ran> =>
  runVerb(resolveCommand, words, { environment: { MESHDOH_SERVER: server.url } });

describe('resolve', () => {
  it('prints what the records hold, one to a line', async () => {
    expect(await resolve('auto.internal')).toEqual({
      stdout: `${await server.registry.vipOf('auto.internal')}\n`,
      stderr: '',
      exitCode: 0,
    });
    expect((await resolve('_http._tcp.auto.internal', 'srv')).stdout).toBe('0 100 80 auto.internal\n');
  });

  it('--vips leaves virtual IPs out', async () => {
    expect((await resolve('fixed.internal', '--vips', '0')).stdout).toBe('192.0.2.1\n');
    expect((await resolve('fixed.internal', '--vips', '1')).stdout).toMatch(/^240\.240\./);
  });

  it.each(['AAAA', 'TYPE65', '16'])('takes a name without %s records for no failure', async (type) => {
    const { stdout, stderr, exitCode } = await resolve('auto.internal', type);
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 0 });
    expect(stderr).toMatch(/^auto\.internal: NODATA: no [A-Z]+ record\n$/);
  });

  it('exits 1 for a name that does not exist', async () => {
    expect(await resolve('none.internal')).toEqual({ stdout: '', stderr: 'none.internal: NXDOMAIN\n', exitCode: 1 });
  });

  it('--json prints the answer as public resolvers word it', async () => {
    expect(JSON.parse((await resolve('auto.internal', '--json')).stdout)).toMatchObject({
      Status: 0,
      Question: [{ name: 'auto.internal', type: 1 }],
      Answer: [{ name: 'auto.internal', type: 1, TTL: 300, data: await server.registry.vipOf('auto.internal') }],
    });
    const absent = await resolve('none.internal', '--json');
    expect(JSON.parse(absent.stdout)).toMatchObject({ Status: 3 });
    expect(absent.exitCode).toBe(1);
  });

  it('--trace prints each step, and every record', async () => {
    const { stdout } = await resolve('auto.internal', '--trace', '--vips', '1');
    const steps = stdout.split('\n').map((line) => line.replace(/^(\S+) +/, '$1: '));
    expect(steps).toEqual([
      `server: ${server.url}/, from MESHDOH_SERVER`,
      'credential: none',
      `request: POST ${server.url}/dns-query?vips=1, 42 octets`,
      expect.stringMatching(/^connect: 127\.0\.0\.1:\d+, \d+\.\d ms$/),
      expect.stringMatching(/^response: HTTP 200, application\/dns-message, \d+ octets, \d+\.\d ms$/),
      'cache: max-age=300',
      'header: NOERROR, id 0, flags qr aa rd ra',
      'question: auto.internal IN A',
      `answer: auto.internal 300 IN A ${await server.registry.vipOf('auto.internal')}`,
      'edns: version 0, udp 1232',
      '',
    ]);
  });

  it('--trace prints the SOA of an absence, which stays a failure', async () => {
    const { stdout, stderr, exitCode } = await resolve('none.internal', '--trace');
    expect(stdout).toMatch(/^header +NXDOMAIN, .*\n.*\nauthority +internal 30 IN SOA /m);
    expect({ stderr, exitCode }).toEqual({ stderr: 'none.internal: NXDOMAIN\n', exitCode: 1 });
  });

  it.each<[string, string[], string]>([
    ['a name that is none', ['a..b'], 'error: "a..b" is not a domain name\n'],
    ['an unknown type', ['a.internal', 'ADDRESS'], 'error: "ADDRESS" is not a record type: it takes a name'],
    ['a type out of range', ['a.internal', '65536'], 'error: "65536" is not a record type'],
    ['no name', [], "error: missing required argument 'name'\n"],
    ['other views than there are', ['a.internal', '--vips', '2'], 'Allowed choices are 0, 1.'],
  ])('refuses %s', async (_, words, problem) => {
    const { stdout, stderr, exitCode } = await resolve(...words);
    expect(stderr).toContain(problem);
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
  });
});

describe('resolve, at a server that', () => {
  const asking = async (answer: (response: ServerResponse) => void, ...words: readonly string[]): Promise<Ran> => {
    const other = createServer((request, response) => {
      request.resume();
      answer(response);
    });
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
    onTestFinished(() => void other.close());
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const ran = await runVerb(resolveCommand, ['a.internal', '--server', url, ...words]);
    return { ...ran, stderr: ran.stderr.replaceAll(url, 'URL') };
  };
  const dns = (wire: Uint8Array) => (response: ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'application/dns-message' }).end(wire);

  it('fails with extended errors, tells them without what a terminal would obey', async () => {
    const ede = { code: 22, text: 'down\u001b[2J' };
    const wire = responseWire(query('a.internal', 'A', { edns: { udpSize: 1232 } }), { rcode: 2, ede });
    expect(await asking(dns(wire))).toEqual({
      stdout: '',
      stderr: 'a.internal: SERVFAIL\nEDE 22 (no reachable authority): down\\u001b[2J\n',
      exitCode: 1,
    });
  });

  it.each<[string, (response: ServerResponse) => void, string]>([
    [
      'answers another question',
      dns(responseWire(query('b.internal'))),
      'URL/ answers another question than was asked',
    ],
    ['echoes the query', dns(queryWire('a.internal')), 'URL/ answers another question than was asked'],
    ['sends no DNS message', dns(Buffer.from('hello')), 'URL/ answers with a malformed DNS message'],
    [
      'sends a page',
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      'URL/ answers with text/html, not application/dns-message: is it a meshdoh server?',
    ],
    [
      'refuses in words',
      (response) => void response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\nat all'),
      'URL/ answers HTTP 404: not found',
    ],
    [
      'asks for a token',
      (response) => void response.writeHead(401).end(),
      'URL/ answers HTTP 401: name the file of a token with --token-file or MESHDOH_TOKEN_FILE',
    ],
  ])('%s, says so', async (_, answer, problem) => {
    expect(await asking(answer)).toEqual({ stdout: '', stderr: `error: ${problem}\n`, exitCode: 1 });
  });

  it('never answers, is given up on', async () => {
    const { stderr, exitCode } = await asking(() => undefined, '--request-timeout', '50ms');
    expect(stderr).toMatch(
      /^error: cannot reach the meshdoh server at URL\/ \(from --server\): no answer within 50ms: /,
    );
    expect(exitCode).toBe(1);
  });

  it('stops in the middle of its answer, is given up on', async () => {
    const half = (response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'application/dns-message', 'content-length': '100' });
      response.write('half');
    };
    const { stderr } = await asking(half, '--request-timeout', '50ms');
    expect(stderr).toContain('no answer within 50ms');
  });
});
