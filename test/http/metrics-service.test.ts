import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenStore, openStore } from '../../src/cli/open-store.ts';
import { createService, type Service } from '../../src/cli/service.ts';
import { resolveSettings } from '../../src/settings.ts';
import { deadline, serviceEntry } from '../support/registry.ts';

/** A port that nothing listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

let upstream: string;
let store: OpenStore;
let service: Service;
beforeAll(async () => {
  upstream = `http://127.0.0.1:${await closedPort()}`;
  const environment = { MESHDOH_UPSTREAMS: `${upstream}/dns-query`, MESHDOH_AUTH: 'none' };
  const resolved = resolveSettings({ environment });
  if (!resolved.ok) throw new Error(resolved.errors[0]?.message);
  const { settings } = resolved;
  store = await openStore(settings.store, '/', deadline());
  service = await createService({ settings, store, adminToken: 'secret', report: () => undefined });
});
afterAll(async () => {
  await service.close();
  await store.close();
});

const ask = (name: string, type = 'A') => service.app.request(`/dns-query?name=${name}&type=${type}`);

const scraped = async (): Promise<string[]> => (await (await service.app.request('/metrics')).text()).split('\n');

describe('a server', () => {
  it('counts what it is asked: from the registry, from the cache, forwarded in vain, and malformed', async () => {
    await service.writer.apply(serviceEntry('auto', { hosts: ['auto.internal'] }), {}, deadline());
    await service.writer.apply(serviceEntry('dry', { hosts: ['dry.internal'] }), { dryRun: true }, deadline());
    await service.writer.remove('default', 'absent', {}, deadline());
    await ask('auto.internal');
    await ask('auto.internal');
    await ask('nowhere.internal', 'TYPE999');
    await ask('elsewhere.example');
    await service.app.request('/dns-query?dns=AAAA');
    const lines = await scraped();
    expect(lines).toEqual(
      expect.arrayContaining([
        'meshdoh_queries_total{rcode="NOERROR",type="A",source="registry"} 1',
        'meshdoh_queries_total{rcode="NOERROR",type="A",source="cache"} 1',
        'meshdoh_queries_total{rcode="NXDOMAIN",type="other",source="registry"} 1',
        'meshdoh_queries_total{rcode="SERVFAIL",type="A",source="error"} 1',
        'meshdoh_malformed_queries_total 1',
        'meshdoh_answer_cache_hits_total 1',
        `meshdoh_upstream_failures_total{upstream="${upstream}",kind="transport"} 1`,
        'meshdoh_registry_writes_total{outcome="created"} 1',
        'meshdoh_registry_writes_total{outcome="NotFound"} 1',
        'meshdoh_vip_pool_addresses{pool="240.240.0.0/16",state="live"} 1',
        'meshdoh_registry_read_errors_total 0',
      ]),
    );
    expect(lines.filter((line) => line.includes('internal') || line.includes('example'))).toEqual([]);
  });

  it('is ready', async () => {
    expect((await service.app.request('/readyz')).status).toBe(200);
  });

  it('counts failed reads once its store has gone', async () => {
    await store.close();
    await ask('new.internal');
    const lines = await scraped();
    const failed = lines.find((line) => line.startsWith('meshdoh_registry_read_errors_total ')) ?? '';
    expect(Number(failed.split(' ')[1])).toBeGreaterThan(0);
  });
});
