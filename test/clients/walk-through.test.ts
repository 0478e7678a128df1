import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answersOf, queryWire, rcodeIn } from '../support/dns.ts';
import { DohUpstream } from '../support/doh-upstream.ts';
import { makeFolder, type RunningStart, removeFolder, runStart } from '../support/running-start.ts';
import { type Command, requireInstalled } from './installed.ts';

/** The exit code is part of what a client says, so it is no error here. */
async function run(client: Command, ...args: string[]): Promise<string> {
  const outcome = await promisify(execFile)(client, args, { timeout: 20_000, encoding: 'latin1' }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return outcome.stdout + outcome.stderr;
}

const LAUNCH = join(import.meta.dirname, '../../src/cli/launch.mjs');
const VIP = /240\.240\.\d+\.\d+/;

describe('the walk-through, with real clients', () => {
  let folder: string;
  let server: RunningStart;
  let upstream: DohUpstream;

  beforeAll(async () => {
    requireInstalled('curl', 'dig', 'kdig');
    upstream = await DohUpstream.start({ protocol: 'plain' });
    folder = await makeFolder();
    server = await runStart(folder, ['--upstreams', upstream.url]);
  });
  afterAll(async () => {
    await server?.kill('SIGTERM');
    await upstream?.close();
    await removeFolder(folder);
  });

  const dig = (...args: string[]) => run('dig', '@127.0.0.1', '-p', String(server.dnsPort), ...args);
  const kdig = (...args: string[]) =>
    run(
      'kdig',
      '@127.0.0.1',
      '-p',
      String(server.httpsPort),
      '+https',
      `+tls-ca=${server.ca}`,
      '+tls-hostname=localhost',
      ...args,
    );
  const vip = async (host: string) => VIP.exec(await dig('+short', host))?.[0];

  it('address.internal has the address of its entry, by dig over UDP and TCP', async () => {
    expect(await dig('+short', 'address.internal')).toBe('198.51.100.1\n');
    expect(await dig('+short', '+tcp', 'address.internal')).toBe('198.51.100.1\n');
  });

  it('auto.internal has one VIP, the same by every client', async () => {
    const expected = (await vip('auto.internal')) ?? 'none';
    expect(expected).toMatch(VIP);
    expect(await kdig('+short', 'auto.internal')).toBe(`${expected}\n`);
    const doh = ['--doh-url', `https://localhost:${server.httpsPort}/dns-query`, '--cacert', server.ca];
    // Bound to loopback, so that the attempt to reach the VIP ends where it begins.
    const curl = await run('curl', '-sv', '-m', '2', '--interface', '127.0.0.1', ...doh, 'http://auto.internal/');
    expect(curl).toContain(`Trying ${expected}:80`);
    const json = JSON.parse(await run('curl', '-s', `${server.httpUrl}/dns-query?name=auto.internal&type=A`));
    expect(json.Answer).toEqual([{ name: 'auto.internal', type: 1, TTL: 300, data: expected }]);
  });

  it('two services on port 9000 have two VIPs', async () => {
    const first = await vip('tcp-echo.external-1.svc.cluster.local');
    const second = await vip('tcp-echo.external-2.svc.cluster.local');
    expect(first).toMatch(VIP);
    expect(second).toMatch(VIP);
    expect(second).not.toBe(first);
  });

  it('curl --doh-url reaches a server by its registered name', async () => {
    const manifest = `${folder}/here.yaml`;
    const spec = {
      hosts: ['here.internal'],
      addresses: ['127.0.0.1'],
      resolution: 'STATIC',
      ports: [{ name: 'http', number: 80, protocol: 'HTTP' }],
    };
    await writeFile(
      manifest,
      JSON.stringify({ apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry', metadata: { name: 'here' }, spec }),
    );
    await promisify(execFile)(process.execPath, [LAUNCH, 'apply', '-f', manifest], { cwd: folder });
    const { port } = new URL(server.httpUrl);
    const doh = ['--doh-url', `https://localhost:${server.httpsPort}/dns-query`, '--cacert', server.ca];
    const headers = ['-H', 'Host: localhost'];
    const json = await run(
      'curl',
      '-s',
      ...doh,
      ...headers,
      `http://here.internal:${port}/dns-query?name=here.internal`,
    );
    expect(JSON.parse(json).Answer).toEqual([{ name: 'here.internal', type: 1, TTL: 30, data: '127.0.0.1' }]);
  });

  it('raw curl GET and POST give the same message, over HTTP/2 and HTTP/1.1', async () => {
    const wire = queryWire('address.internal', 'A');
    const get = await run('curl', '-s', `${server.httpUrl}/dns-query?dns=${wire.toString('base64url')}`);
    expect(answersOf(Buffer.from(get, 'latin1'))).toEqual(['address.internal 30 A 198.51.100.1']);
    const file = `${folder}/query`;
    await writeFile(file, wire);
    const posted = ['-H', 'content-type: application/dns-message', '--data-binary', `@${file}`];
    const url = `https://localhost:${server.httpsPort}/dns-query`;
    for (const version of ['--http2', '--http1.1']) {
      expect(await run('curl', '-s', version, '--cacert', server.ca, ...posted, url)).toBe(get);
    }
    expect(
      await run('curl', '-s', '-o', '/dev/null', '-w', '%{http_version}', '--cacert', server.ca, ...posted, url),
    ).toBe('2');
  });

  it('a name that nobody registered is the upstream’s', async () => {
    expect(await dig('+short', 'www.example.com')).toBe('192.0.2.1\n');
    expect(upstream.requests.length).toBeGreaterThan(0);
  });

  it('the other family, other types and unknown private names are answered here', async () => {
    const before = upstream.requests.length;
    expect(await dig('auto.internal', 'AAAA')).toMatch(/status: NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1/);
    expect(await dig('auto.internal', 'HTTPS')).toMatch(/status: NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1/);
    expect(await dig('nobody.internal')).toMatch(/status: NXDOMAIN/);
    expect(await dig('+short', '_http._tcp.auto.internal', 'SRV')).toBe('0 100 80 auto.internal.\n');
    expect(await dig('+short', '-x', (await vip('auto.internal')) ?? '')).toBe('auto.internal.\n');
    expect(upstream.requests.length).toBe(before);
  });

  it('a dead upstream is SERVFAIL with the reason, and private names live on', async () => {
    const dead = await makeFolder();
    const alone = await runStart(dead, ['--upstreams', 'http://127.0.0.1:9/dns-query']);
    try {
      const wire = queryWire('www.example.com', 'A', { edns: { udpSize: 1232 } });
      const answer = await fetch(`${alone.httpUrl}/dns-query?dns=${wire.toString('base64url')}`);
      expect(rcodeIn(Buffer.from(await answer.arrayBuffer()))).toBe('SERVFAIL');
      const json = JSON.parse(await run('curl', '-s', `${alone.httpUrl}/dns-query?name=www.example.com`));
      expect(json.Comment).toEqual(['EDE 22: upstreams failed: transport']);
      expect(await run('dig', '@127.0.0.1', '-p', String(alone.dnsPort), '+short', 'address.internal')).toBe(
        '198.51.100.1\n',
      );
    } finally {
      await alone.kill('SIGTERM');
      await removeFolder(dead);
    }
  });
});
