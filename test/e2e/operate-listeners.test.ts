import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { get } from 'node:https';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { makeFolder, type RunningStart, removeFolder, runStart } from '../support/running-start.ts';

const NO_UPSTREAM = ['--upstreams', ''];

const running: RunningStart[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.kill('SIGKILL')));
  await Promise.all(folders.splice(0).map(removeFolder));
});

async function start(...args: readonly string[]): Promise<RunningStart> {
  const folder = await makeFolder();
  folders.push(folder);
  const server = await runStart(folder, [...args, ...NO_UPSTREAM]);
  running.push(server);
  return server;
}

const metricsUrl = ({ greeting }: RunningStart): string => /http:\S+\/metrics/.exec(greeting)?.[0] ?? '';

const tokenOf = ({ folder }: RunningStart): string => readFileSync(join(folder, '.meshdoh/admin-token'), 'utf8').trim();

describe('what meshdoh start says', () => {
  it.each([
    [[], 'its data is in .meshdoh/\n'],
    [['--store', 'memory'], 'its data is in memory, and ends with it\n'],
    [['--store', './elsewhere'], 'its data is in ./elsewhere\n'],
  ])('with %j of its data is true', async (args, said) => {
    expect((await start(...args)).greeting).toContain(said);
  });
});

describe('the certificate of meshdoh start', () => {
  it('is for the address that --https names, and so is what it prints', async () => {
    const server = await start('--https', '127.0.0.2:0');
    const url = `https://127.0.0.2:${server.httpsPort}`;
    expect(server.greeting).toContain(`DoH   ${url}/dns-query`);
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    get(`${url}/healthz`, { ca: readFileSync(server.ca), agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
    expect(await promise).toBe(200);
  });
});

describe('health and metrics of meshdoh start', () => {
  it('are on the main listener, /metrics for administrators alone', async () => {
    const server = await start('--auth', 'tokens');
    const status = async (path: string, headers = {}) => (await fetch(`${server.httpUrl}${path}`, { headers })).status;
    expect(await status('/healthz')).toBe(200);
    expect(await status('/readyz')).toBe(200);
    expect(await status('/metrics')).toBe(401);
    expect(await status('/metrics', { authorization: `Bearer ${tokenOf(server)}` })).toBe(200);
    expect(metricsUrl(server)).toBe('');
  });

  it('are on a listener of their own where the setting names one, and nothing else is', async () => {
    const server = await start('--auth', 'tokens', '--metrics', '127.0.0.1:0');
    const url = new URL(metricsUrl(server));
    const status = async (path: string) => (await fetch(new URL(path, url))).status;
    expect(await status('/metrics')).toBe(200);
    expect(await status('/readyz')).toBe(200);
    expect(await status('/apis/networking.istio.io/v1/serviceentries')).toBe(404);
    expect(await status('/dns-query?name=auto.internal')).toBe(404);
    const scraped = await (await fetch(url)).text();
    expect(scraped).toMatch(/^meshdoh_vip_pool_addresses\{pool="240\.240\.0\.0\/16",state="live"\} 3$/m);
    expect(scraped).toMatch(/^meshdoh_open_connections\{listener="http"\} \d+$/m);
  });

  it('are not told to a page that re-pointed its own name there', async () => {
    const server = await start('--metrics', '127.0.0.1:0');
    const { port } = new URL(metricsUrl(server));
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    request({ host: '127.0.0.1', port, path: '/metrics', headers: { host: 'rebound.example' } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).end();
    expect(await promise).toBe(421);
  });

  it('are refused a listener beyond loopback', async () => {
    await expect(start('--metrics', '0.0.0.0:0')).rejects.toThrow(
      /setting "metrics" \(--metrics\) is "0\.0\.0\.0:0": expected a loopback address/,
    );
  });
});
