import { describe, expect, it } from 'vitest';
import { createHealthApp, type ReadinessCheck } from '../../src/http/health-app.ts';
import { activatePool } from '../../src/registry/dynamodb-open.ts';
import { readinessChecks } from '../../src/service/readiness.ts';
import { createPool } from '../../src/vip/pool.ts';
import { DEFAULT_POOL, deadline, openTestRegistry, TABLE } from '../support/registry.ts';

const holds: ReadinessCheck = { name: 'store', problem: async () => undefined };
const broken = (message: string): ReadinessCheck => ({ name: 'pools', problem: async () => message });

describe('/healthz', () => {
  it('says that the process answers, whatever else is wrong', async () => {
    const answer = await createHealthApp({ checks: [broken('gone')] }).request('/healthz');
    expect([answer.status, await answer.text()]).toEqual([200, 'ok\n']);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });
});

describe('/readyz', () => {
  it('is 200 when all that is needed is there', async () => {
    const answer = await createHealthApp({ checks: [holds] }).request('/readyz');
    expect([answer.status, await answer.text()]).toEqual([200, 'ok\n']);
  });

  it('is 503 with the reason when it is not', async () => {
    const answer = await createHealthApp({ checks: [holds, broken('another pool')] }).request('/readyz');
    expect([answer.status, await answer.text()]).toEqual([503, '[-] pools: another pool\nnot ready\n']);
  });

  it('answers HEAD like GET, without a body', async () => {
    const answer = await createHealthApp({ checks: [broken('gone')] }).request('/readyz', { method: 'HEAD' });
    expect([answer.status, await answer.text()]).toEqual([503, '']);
  });

  it('?verbose tells everything as JSON, but not what a fault says', async () => {
    const failing: ReadinessCheck = { name: 'store', problem: () => Promise.reject(new Error('secret endpoint')) };
    const now = () => Date.parse('2026-11-01T00:00:00Z');
    const answer = await createHealthApp({ checks: [failing, { ...holds, name: 'pools' }], now }).request(
      '/readyz?verbose',
    );
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({
      ready: false,
      checkedAt: '2026-11-01T00:00:00.000Z',
      elapsedMs: 0,
      checks: [
        { name: 'store', ok: false, message: 'no answer in time' },
        { name: 'pools', ok: true },
      ],
    });
  });

  it('asks the store once for many that probe, and again after two seconds', async () => {
    const clock = { now: 0 };
    let asked = 0;
    const counting: ReadinessCheck = {
      name: 'store',
      async problem() {
        asked += 1;
        return undefined;
      },
    };
    const app = createHealthApp({ checks: [counting], now: () => clock.now });
    await Promise.all(Array.from({ length: 50 }, () => app.request('/readyz')));
    expect(asked).toBe(1);
    clock.now = 2_000;
    await app.request('/readyz');
    expect(asked).toBe(2);
  });

  it('is not there for other methods', async () => {
    expect((await createHealthApp({ checks: [] }).request('/readyz', { method: 'POST' })).status).toBe(404);
  });
});

describe('the checks of a server', () => {
  it('hold on its own table, and tell of a pool that another server made active, and of a store that is gone', async () => {
    const { db, client } = await openTestRegistry();
    const source = { client, table: TABLE };
    const problems = () =>
      Promise.all(readinessChecks(source, { pools: DEFAULT_POOL }).map(({ problem }) => problem(deadline())));
    expect(await problems()).toEqual([undefined, undefined]);
    await activatePool(source, createPool({ ipv4: '10.66.0.0/24', ipv6: '2001:2:66::/64' }), deadline());
    expect(await problems()).toEqual([undefined, expect.stringContaining('another pool')]);
    await db.close();
    const checks = readinessChecks(source, { pools: DEFAULT_POOL });
    const answer = await createHealthApp({ checks }).request('/readyz');
    expect([answer.status, await answer.text()]).toEqual([
      503,
      '[-] store: no answer in time\n[-] pools: no answer in time\nnot ready\n',
    ]);
  });
});
