import { describe, expect, it } from 'vitest';
import { Attempt } from '../../src/forward/attempt.ts';
import { selfCheck } from '../../src/shim/capture/self-check.ts';
import { DnsClient } from '../../src/shim/dns-client.ts';
import { query } from '../support/dns.ts';

/** The kernel refuses to connect a socket there, as it does for a server that no route leads to. */
const UNREACHABLE = { address: '255.255.255.255', port: 53 };

describe('a resolver that no route leads to', () => {
  it('is a failure at once, and nothing worse', async () => {
    const { wire, question } = query('a.example', 'A');
    if (question === undefined) throw new Error('a query without a question');
    const attempt = new Attempt(5_000);
    const started = performance.now();
    const exchanged = await new DnsClient(UNREACHABLE).exchange(wire, question, attempt);
    attempt.end();
    expect(exchanged).toMatchObject({ ok: false, kind: 'transport', message: expect.stringContaining('connect') });
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it('is no shim', async () => {
    expect(await selfCheck([UNREACHABLE], 1_000)).toBe(false);
  });
});
