import { expect, it } from 'vitest';
import { STALE_MAX_MS } from '../support/answering.ts';
import { answersOf, edeCodesOf, queryWire, rcodeIn } from '../support/dns.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';

const asked = queryWire('www.example.org', 'A', { edns: { udpSize: 1232 } });
const ANSWER = 'www.example.org 30 A 198.51.100.7';

overEveryCarrier('RFC 8767', [], (talk) => {
  it('section 4: when all upstreams fail, what they said before serves, with TTL 30 and EDE 3', async () => {
    await talk.ask(asked);
    talk.answering.clock.now += 300_000;
    for (const failing of [() => 'timeout' as const, () => ({ rcode: 2 })]) {
      talk.answering.upstream = failing;
      const { headers, body } = await talk.post(asked);
      expect([answersOf(body), edeCodesOf(body)]).toEqual([[ANSWER], [3]]);
      expect(headers['cache-control']).toBe('max-age=30');
      talk.answering.clock.now += 5_000;
    }
    expect(talk.answering.exchange.counters).toEqual({ hits: 0, misses: 1, stale: 2 });
  });

  it('RFC 8914: no EDE without EDNS', async () => {
    const plain = queryWire('www.example.org');
    await talk.ask(plain);
    talk.answering.clock.now += 300_000;
    talk.answering.upstream = () => 'timeout';
    const wire = await talk.ask(plain);
    expect([answersOf(wire), edeCodesOf(wire)]).toEqual([[ANSWER], []]);
  });

  it('section 5: failed upstreams are spared for a while, then asked again', async () => {
    await talk.ask(asked);
    talk.answering.clock.now += 300_000;
    talk.answering.upstream = () => 'timeout';
    for (const _ of ['first', 'second', 'third']) await talk.ask(asked);
    expect(talk.answering.forwarded).toHaveLength(2);
    talk.answering.upstream = () => ({ answers: [], rcode: 3 });
    talk.answering.clock.now += 5_000;
    expect(rcodeIn(await talk.ask(asked))).toBe('NXDOMAIN');
  });

  it('nothing is older than the bound', async () => {
    await talk.ask(asked);
    talk.answering.upstream = () => 'timeout';
    talk.answering.clock.now += 300_000 + STALE_MAX_MS;
    const wire = await talk.ask(asked);
    expect([rcodeIn(wire), edeCodesOf(wire)]).toEqual(['SERVFAIL', [22]]);
  });

  it('a fresh answer is no stale one, and a failure never becomes one', async () => {
    talk.answering.upstream = () => ({ rcode: 2 });
    await talk.ask(asked);
    talk.answering.clock.now += 5_000;
    talk.answering.upstream = () => 'timeout';
    const wire = await talk.ask(asked);
    expect([rcodeIn(wire), edeCodesOf(wire)]).toEqual(['SERVFAIL', [22]]);
  });

  it('RFC 8914 section 4.20: a stale denial says so', async () => {
    const owner = 'example.org' as never;
    const soa = { type: 'SOA', owner, ttl: 60, mname: owner, rname: owner } as const;
    const numbers = { serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 };
    talk.answering.upstream = () => ({ rcode: 3, authorities: [{ ...soa, ...numbers }] });
    await talk.ask(asked);
    talk.answering.upstream = () => 'timeout';
    talk.answering.clock.now += 60_000;
    const wire = await talk.ask(asked);
    expect([rcodeIn(wire), edeCodesOf(wire)]).toEqual(['NXDOMAIN', [19]]);
  });
});
