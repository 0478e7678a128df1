import { describe, expect, it } from 'vitest';
import { parseName } from '../../src/dns/name.ts';
import { type DnsQuery, decodeQuery, encodeQuery } from '../../src/dns/query.ts';
import { encodeResponse } from '../../src/dns/response.ts';
import { adminTokenCredentials } from '../../src/http/local-credentials.ts';
import { Metrics } from '../../src/http/metrics.ts';
import { createMetricsApp, createOpenMetricsApp } from '../../src/http/metrics-app.ts';
import type { PoolReport } from '../../src/registry/operations.ts';
import type { AnswerSource } from '../../src/resolve/resolver.ts';
import { DEFAULT_VIEW } from '../support/registry.ts';

const query = (name: string, qtype: number): DnsQuery => {
  const qname = parseName(name);
  const decoded = qname && decodeQuery(encodeQuery({ qname, qtype }));
  if (!decoded?.ok) throw new Error(`${name} cannot be asked for`);
  return decoded.query;
};

const response = (name: string, qtype: number, rcode = 0): Buffer => encodeResponse(query(name, qtype), { rcode });

const samples = async (metrics: Metrics, name: string): Promise<string[]> =>
  (await metrics.scrape())
    .split('\n')
    .filter((line) => line.startsWith(name))
    .sort();

const resolution = (wire: Buffer, source: AnswerSource) => ({ wire, source, maxAge: undefined });

describe('metrics of queries', () => {
  it('count by response code, type and source', async () => {
    const metrics = new Metrics('1.2.3');
    metrics.queries.cached(response('a.internal', 1));
    metrics.queries.cached(response('b.internal', 1));
    metrics.queries.resolved(resolution(response('c.internal', 28, 3), 'registry'), 4);
    metrics.queries.resolved(resolution(response('d.example', 65, 2), 'forwarded'), 300);
    metrics.queries.malformed();
    expect(await samples(metrics, 'meshdoh_queries_total{')).toEqual([
      'meshdoh_queries_total{rcode="NOERROR",type="A",source="cache"} 2',
      'meshdoh_queries_total{rcode="NXDOMAIN",type="AAAA",source="registry"} 1',
      'meshdoh_queries_total{rcode="SERVFAIL",type="HTTPS",source="forwarded"} 1',
    ]);
    expect(await samples(metrics, 'meshdoh_malformed_queries_total ')).toEqual(['meshdoh_malformed_queries_total 1']);
  });

  it('count BADVERS, half of whose code is in the OPT', async () => {
    const metrics = new Metrics('1.2.3');
    const asked = decodeQuery(encodeQuery({ ...question('a.internal'), edns: { udpSize: 1232 } }));
    if (!asked.ok) throw new Error('no query');
    metrics.queries.resolved(resolution(encodeResponse(asked.query, { rcode: 16 }), 'error'), 1);
    expect(await samples(metrics, 'meshdoh_queries_total{')).toEqual([
      'meshdoh_queries_total{rcode="BADVERS",type="A",source="error"} 1',
    ]);
  });

  it('keep the number of time series bounded, whatever is asked for', async () => {
    const metrics = new Metrics('1.2.3');
    for (let type = 1; type < 2000; type++) {
      if (type !== 41) metrics.queries.cached(response(`host-${type}.internal`, type));
    }
    const series = await samples(metrics, 'meshdoh_queries_total{');
    expect(series.length).toBeLessThan(20);
    expect(series.join('\n')).toContain('type="other"');
    expect(await metrics.scrape()).not.toContain('host-');
  });

  it('survive octets that are no message', async () => {
    const metrics = new Metrics('1.2.3');
    for (const octets of [Buffer.alloc(0), Buffer.alloc(12), Buffer.alloc(512, 0xff)]) metrics.queries.cached(octets);
    expect((await samples(metrics, 'meshdoh_queries_total{')).length).toBeGreaterThan(0);
  });

  it('have a histogram of those that were not answered from the cache at once', async () => {
    const metrics = new Metrics('1.2.3');
    metrics.queries.cached(response('a.internal', 1));
    metrics.queries.resolved(resolution(response('b.internal', 1), 'forwarded'), 30);
    expect(await samples(metrics, 'meshdoh_query_duration_seconds_count')).toEqual([
      'meshdoh_query_duration_seconds_count{source="forwarded"} 1',
    ]);
    const buckets = await samples(metrics, 'meshdoh_query_duration_seconds_bucket');
    expect(buckets).toContain('meshdoh_query_duration_seconds_bucket{le="0.025",source="forwarded"} 0');
    expect(buckets).toContain('meshdoh_query_duration_seconds_bucket{le="0.05",source="forwarded"} 1');
  });
});

const question = (name: string) => {
  const qname = parseName(name);
  if (!qname) throw new Error(`${name} is no name`);
  return { qname, qtype: 1 };
};

const POOL: PoolReport = {
  id: 'one',
  ipv4: '240.240.0.0/16',
  ipv6: '2001:2::/48',
  state: 'active',
  capacity: 100,
  live: 3,
  tombstoned: 2,
  pinned: 1,
  free: 94,
};

describe('metrics of pools', () => {
  it('are read from the store every 30 s at most, however often they are scraped', async () => {
    const clock = { now: 0 };
    let reads = 0;
    const metrics = new Metrics('1.2.3');
    const pools = async () => {
      reads += 1;
      return [{ ...POOL, live: reads }];
    };
    metrics.watchPools({ pools }, () => clock.now);
    const live = async () =>
      (await samples(metrics, 'meshdoh_vip_pool_addresses{')).find((line) => line.includes('live'));
    expect(await live()).toBe('meshdoh_vip_pool_addresses{pool="240.240.0.0/16",state="live"} 1');
    clock.now = 29_999;
    expect(await live()).toMatch(/ 1$/);
    expect(reads).toBe(1);
    clock.now = 30_000;
    expect(await live()).toMatch(/ 2$/);
    expect(await samples(metrics, 'meshdoh_vip_pool_capacity{')).toEqual([
      'meshdoh_vip_pool_capacity{pool="240.240.0.0/16",state="active"} 100',
    ]);
  });

  it('are absent while the store does not answer, and the others are there', async () => {
    const metrics = new Metrics('1.2.3');
    metrics.watchPools({ pools: () => Promise.reject(new Error('no store')) });
    expect(await samples(metrics, 'meshdoh_vip_pool_addresses{')).toEqual([]);
    expect(await samples(metrics, 'process_cpu_seconds_total')).toHaveLength(1);
  });
});

describe('other metrics', () => {
  it('count failures of upstreams and of the registry, writes by outcome, and connections', async () => {
    const metrics = new Metrics('1.2.3');
    metrics.upstreamFailed({ upstream: 'https://dns.example', kind: 'timeout' });
    metrics.registryReadFailed();
    metrics.wrote({ kind: 'rejected', reason: 'VipPoolExhausted', message: 'full' });
    metrics.watchConnections('http', () => 7);
    metrics.watchCache(() => ({ hits: 5, misses: 4, stale: 3, octets: 2, entries: 1 }));
    const scraped = (await metrics.scrape()).split('\n');
    expect(scraped).toEqual(
      expect.arrayContaining([
        'meshdoh_upstream_failures_total{upstream="https://dns.example",kind="timeout"} 1',
        'meshdoh_registry_read_errors_total 1',
        'meshdoh_registry_writes_total{outcome="VipPoolExhausted"} 1',
        'meshdoh_open_connections{listener="http"} 7',
        'meshdoh_answer_cache_hits_total 5',
        'meshdoh_answer_cache_misses_total 4',
        'meshdoh_answer_cache_stale_total 3',
        'meshdoh_answer_cache_bytes 2',
        'meshdoh_answer_cache_entries 1',
        'meshdoh_build_info{version="1.2.3"} 1',
      ]),
    );
  });

  it('of one server are not those of another in the same process', async () => {
    const [one, other] = [new Metrics('1'), new Metrics('2')];
    one.queries.cached(response('a.internal', 1));
    expect(await samples(other, 'meshdoh_queries_total{')).toEqual([]);
  });
});

describe('GET /metrics', () => {
  const metrics = new Metrics('1.2.3');
  const app = createMetricsApp(metrics, {
    credentials: adminTokenCredentials('secret', DEFAULT_VIEW),
    adminTimeoutMs: 1000,
  });

  it.each([
    ['nobody', {}, 401],
    ['somebody else', { authorization: 'Bearer other' }, 401],
    ['an administrator', { authorization: 'Bearer secret' }, 200],
  ])('answers %s accordingly', async (_, headers, status) => {
    expect((await app.request('/metrics', { headers: new Headers(headers) })).status).toBe(status);
  });

  it('is in the text format that Prometheus reads', async () => {
    const answer = await createOpenMetricsApp(metrics).request('/metrics');
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await answer.text()).toMatch(/^# HELP meshdoh_queries_total .+\n# TYPE meshdoh_queries_total counter$/m);
  });
});
