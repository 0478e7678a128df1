import { describe, expect, it } from 'vitest';
import type { Exchanged } from '../../src/forward/upstream-client.ts';
import { EndpointHealth, probeDelayMs, verdictOf } from '../../src/shim/endpoint-health.ts';
import { query, responseWire } from '../support/dns.ts';

const EDNS = { edns: { udpSize: 1232 } };
const servFail = (code?: number): Exchanged => ({
  ok: false,
  kind: 'rcode',
  message: 'SERVFAIL',
  wire: responseWire(query('a.example', 'A', EDNS), { rcode: 2, ...(code !== undefined && { ede: { code } }) }),
});
const failed = (kind: 'timeout' | 'transport' | 'status' | 'media-type', status?: number): Exchanged => ({
  ok: false,
  kind,
  message: kind,
  ...(status !== undefined && { status }),
});

describe('what an exchange says of its endpoint', () => {
  it.each([
    ['an answer', { ok: true, wire: Buffer.alloc(12), age: 0 } as Exchanged, true, false, 'good'],
    ['its own SERVFAIL', servFail(), true, false, 'good'],
    ['SERVFAIL because of DNSSEC', servFail(6), true, false, 'good'],
    ['SERVFAIL because the registry cannot be read', servFail(14), true, false, 'down'],
    ['a slow answer', failed('timeout'), true, true, 'strike'],
    ['a query that we gave up ourselves', failed('timeout'), false, false, 'nothing'],
    ['no connection in time', failed('timeout'), false, true, 'down'],
    ['a connection that broke', failed('transport'), false, false, 'down'],
    ['a stream that broke', failed('transport'), true, false, 'strike'],
    ['500', failed('status', 500), true, false, 'strike'],
    ['401', failed('status', 401), true, false, 'down'],
    ['429', failed('status', 429), true, false, 'down'],
    ['HTML', failed('media-type'), true, false, 'strike'],
  ])('%s', (_what, exchanged, isConnected, isOver, kind) => {
    expect(verdictOf(exchanged, isConnected, isOver).kind).toBe(kind);
  });

  it('counts strikes in a row only, and is forgiven by one answer', () => {
    const health = new EndpointHealth();
    const strike = { kind: 'strike', message: 'slow' } as const;
    for (const verdict of [strike, strike, { kind: 'good' } as const, strike, strike]) health.note(verdict);
    expect(health.state).toEqual({ up: true });
    expect(health.note(strike)).toBe(true);
    expect(health.state).toMatchObject({ up: false, reason: 'failing' });
    expect(health.note(strike)).toBe(false);
    expect(health.note({ kind: 'good' })).toBe(true);
  });

  it('tells another reason for being down, once', () => {
    const health = new EndpointHealth();
    const down = (reason: 'unreachable' | 'unauthorised') => ({ kind: 'down', reason, message: '' }) as const;
    expect([down('unreachable'), down('unreachable'), down('unauthorised')].map((one) => health.note(one))).toEqual([
      true,
      false,
      true,
    ]);
  });
});

it('probes follow soon at first, then rarely, and always within half a minute', () => {
  const delays = Array.from({ length: 12 }, (_, attempt) => probeDelayMs(attempt, 0.5));
  expect(delays.slice(0, 5)).toEqual([1000, 2000, 4000, 8000, 15_000]);
  for (let attempt = 0; attempt < 60; attempt++) {
    expect(probeDelayMs(attempt, 1)).toBeLessThan(28_000);
    expect(probeDelayMs(attempt, 0)).toBeGreaterThan(500);
  }
});
