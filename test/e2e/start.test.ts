import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { makeFolder, type RunningStart, removeFolder, runStart } from '../support/running-start.ts';

const NO_UPSTREAM = ['--upstreams', ''];
const entry = (name: string) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name },
  spec: { hosts: [`${name}.internal`], ports: [{ name: 'http', number: 80, protocol: 'HTTP' }], resolution: 'DNS' },
});

const running: RunningStart[] = [];
const folders: string[] = [];

async function start(folder: string, args: readonly string[] = NO_UPSTREAM): Promise<RunningStart> {
  const server = await runStart(folder, args);
  running.push(server);
  return server;
}

async function folder(): Promise<string> {
  const made = await makeFolder();
  folders.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.kill('SIGKILL')));
  await Promise.all(folders.splice(0).map(removeFolder));
});

const apply = async (server: RunningStart, name: string) =>
  fetch(`${server.httpUrl}/apis/networking.istio.io/v1/namespaces/default/serviceentries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(entry(name)),
  });

async function addressOf(server: RunningStart, host: string): Promise<string | undefined> {
  const answer = await fetch(`${server.httpUrl}/dns-query?name=${host}`);
  const { Answer = [] } = (await answer.json()) as { Answer?: { data: string }[] };
  return Answer[0]?.data;
}

describe('meshdoh start', () => {
  it('opens nothing beyond loopback while nobody is asked for a credential', async () => {
    const refused = start(await folder(), ['--https', '0.0.0.0:0', ...NO_UPSTREAM]);
    await expect(refused).rejects.toThrow('--https is "0.0.0.0:0", which is not loopback, and "auth" is "none"');
  });

  it.each(['none', 'tokens'])('tells nobody beyond loopback private names by DNS, with auth: %s', async (auth) => {
    const refused = start(await folder(), ['--dns', '0.0.0.0:0', '--auth', auth, ...NO_UPSTREAM]);
    await expect(refused).rejects.toThrow('--dns is "0.0.0.0:0", which is not loopback');
  });

  it('keeps every acknowledged VIP over a kill -9 right after the acknowledgement', async () => {
    const at = await folder();
    let server = await start(at);
    const vips = new Map<string, string | undefined>();
    for (let round = 0; round < 4; round++) {
      const name = `round-${round}`;
      const acknowledged = await apply(server, name);
      expect(acknowledged.status).toBe(201);
      const { status } = (await acknowledged.json()) as { status: { addresses: { value: string }[] } };
      vips.set(name, status.addresses[0]?.value);
      await server.kill('SIGKILL');
      server = await start(at);
      for (const [known, vip] of vips) expect(await addressOf(server, `${known}.internal`)).toBe(vip);
    }
    expect(new Set(vips.values()).size).toBe(4);
  });

  it('applies the examples on the first run only', async () => {
    const at = await folder();
    const first = await start(at);
    expect(first.greeting).toContain(
      'Applied the examples: external-address, external-auto, external-svc-1, external-svc-2',
    );
    const url = `${first.httpUrl}/apis/networking.istio.io/v1/namespaces/default/serviceentries/external-auto`;
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(200);
    await first.kill('SIGTERM');
    const second = await start(at);
    expect(second.greeting).not.toContain('Applied the examples');
    expect(await addressOf(second, 'auto.internal')).toBeUndefined();
  });

  it('answers a change at once, although the registry is cached', async () => {
    const server = await start(await folder());
    expect(await addressOf(server, 'later.internal')).toBeUndefined();
    await apply(server, 'later');
    expect(await addressOf(server, 'later.internal')).toMatch(/^240\.240\./);
  });

  it('ends cleanly on SIGTERM and SIGINT, and takes its server file away', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const at = await folder();
      const server = await start(at);
      expect(await server.kill(signal)).toBe(0);
      expect(() => readFileSync(join(at, '.meshdoh/server.json'))).toThrow('ENOENT');
      expect(server.stderr()).toBe('');
    }
  });

  it('keeps its secrets to its user', async () => {
    const at = await folder();
    await start(at);
    for (const file of ['admin-token', 'ca-key.pem', 'server-key.pem']) {
      expect(statSync(join(at, '.meshdoh', file)).mode & 0o777, file).toBe(0o600);
    }
    expect(statSync(join(at, '.meshdoh')).mode & 0o777).toBe(0o700);
  });

  it('refuses a second one in the same folder, naming the folder', async () => {
    const at = await folder();
    await start(at);
    await expect(runStart(at, NO_UPSTREAM)).rejects.toThrow(/error: .*\.meshdoh\/store/);
  });

  it('names a setting that is wrong, its value and what is allowed, and starts nothing', async () => {
    await expect(runStart(await folder(), ['--query-timeout-ms', '7'])).rejects.toThrow(
      /error: setting "queryTimeoutMs" \(--query-timeout-ms\) is "7": expected .*50/,
    );
  });

  it('does not answer a page that re-pointed its own name at it', async () => {
    const server = await start(await folder());
    const { request } = await import('node:http');
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    const { port } = new URL(server.httpUrl);
    const asked = request(
      {
        host: '127.0.0.1',
        port,
        path: '/apis/networking.istio.io/v1/serviceentries',
        headers: { host: 'rebound.example' },
      },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    asked.end();
    expect(await promise).toBe(421);
  });
});
