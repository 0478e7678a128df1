import { beforeEach, describe, expect, it } from 'vitest';
import { Rcode } from '../../src/dns/constants.ts';
import type { AnswerSource } from '../../src/resolve/resolver.ts';
import { poolMetrics, QueryMetrics } from '../../src/service/metrics-emf.ts';
import { query, responseWire } from '../support/dns.ts';

interface Line {
  readonly _aws: { readonly Timestamp: number; readonly CloudWatchMetrics: readonly Directive[] };
  readonly [name: string]: unknown;
}

interface Directive {
  readonly Namespace: string;
  readonly Dimensions: readonly (readonly string[])[];
  readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
}

const START = Date.parse('2026-11-24T00:00:00Z');
const answer = (rcode: number = Rcode.noError) => responseWire(query('auto.internal', 'A'), { rcode, answers: [] });

let now: number;
let lines: Line[];
let metrics: QueryMetrics;

beforeEach(() => {
  now = START;
  lines = [];
  const write = (line: string) => {
    expect(line.endsWith('\n')).toBe(true);
    lines.push(JSON.parse(line));
  };
  metrics = new QueryMetrics({ functionName: 'meshdoh-dev-doh', write, now: () => now });
});

/** One invocation, in which this happens. */
const invocation = (happens: () => void): Promise<void> => metrics.around(async () => happens())(undefined);

const resolved = (source: AnswerSource, ms = 1, rcode?: number) =>
  invocation(() => metrics.resolved({ source, wire: answer(rcode), maxAge: 30 }, ms));

describe('the metrics of queries', () => {
  it('are told in CloudWatch’s format: the first query of an environment at once', async () => {
    await resolved('registry', 12.34);
    expect(lines).toEqual([
      {
        _aws: {
          Timestamp: START,
          CloudWatchMetrics: [
            {
              Namespace: 'meshdoh',
              Dimensions: [['Function']],
              Metrics: [
                { Name: 'Queries', Unit: 'Count' },
                { Name: 'FromRegistry', Unit: 'Count' },
                { Name: 'NOERROR', Unit: 'Count' },
                { Name: 'Latency', Unit: 'Milliseconds' },
              ],
            },
          ],
        },
        Function: 'meshdoh-dev-doh',
        Queries: 1,
        FromRegistry: 1,
        NOERROR: 1,
        Latency: [12.3],
      },
    ]);
  });

  it('are told together for what comes within ten seconds', async () => {
    await resolved('registry');
    await resolved('forwarded', 20, Rcode.nxDomain);
    await invocation(() => metrics.cached(answer()));
    await resolved('error', 1500, Rcode.servFail);
    await resolved('error', 1, Rcode.notImp);
    await invocation(() => metrics.malformed());
    expect(lines).toHaveLength(1);
    now += 10_000;
    await invocation(() => metrics.registryReadFailed());
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({
      Queries: 4,
      FromUpstreams: 1,
      FromCache: 1,
      FromErrors: 2,
      NXDOMAIN: 1,
      NOERROR: 1,
      SERVFAIL: 1,
      OtherRcodes: 1,
      Malformed: 1,
      RegistryErrors: 1,
      Latency: [20, 0, 1500, 1],
    });
  });

  it('are told for a hundred queries at most: a metric takes no more values from one line', async () => {
    for (let count = 0; count < 201; count++) await resolved('cache');
    expect(lines.map(({ Queries }) => Queries)).toEqual([1, 100, 100]);
    expect(lines[1]?.Latency).toHaveLength(100);
  });

  it('are told at the end of an invocation, also of one that fails, and never when nothing happened', async () => {
    await invocation(() => undefined);
    expect(lines).toEqual([]);
    const fault = new Error('bug');
    const failing = metrics.around(async () => {
      metrics.upstreamFailed();
      throw fault;
    });
    await expect(failing(undefined)).rejects.toBe(fault);
    expect(lines).toMatchObject([{ UpstreamErrors: 1 }]);
  });

  it('survive a clock that was set back', async () => {
    await resolved('registry');
    now -= 3_600_000;
    await resolved('registry');
    expect(lines).toHaveLength(2);
  });
});

describe('the metrics of the pools', () => {
  const pool = { id: 'a', ipv4: '240.240.0.0/16', ipv6: '2001:2::/48', capacity: 200 };
  const figures = { live: 100, tombstoned: 40, pinned: 20, free: 40 };

  it('are those of the one that allocations come from', () => {
    const pools = [
      { ...pool, ...figures, id: 'b', state: 'draining' as const, live: 7 },
      { ...pool, ...figures, state: 'active' as const },
    ];
    const line = JSON.parse(poolMetrics('meshdoh-dev-pools', START, pools) ?? '');
    expect(line).toMatchObject({ PoolLive: 100, PoolTombstoned: 40, PoolPinned: 20, PoolFree: 40, PoolTaken: 80 });
  });

  it('are not there before anything was registered', () => {
    expect(poolMetrics('meshdoh-dev-pools', START, [])).toBeUndefined();
  });
});
