import { describe, expect, it } from 'vitest';
import { createExchange } from '../../src/resolve/exchange.ts';
import type { View } from '../../src/table/view.ts';
import { type Answering, createAnswering, DECISION_MAX_MS, hostRecord } from '../support/answering.ts';
import { answersOf, edeCodesOf, queryWire, rcodeIn } from '../support/dns.ts';
import { DEFAULT_VIEW } from '../support/registry.ts';

const VIP = { ipv4: '240.240.0.1', ipv6: '2001:2::1' };
const PRIVATE = hostRecord('app.example.org', { vip: VIP, exportTo: ['.'] });
const asked = queryWire('app.example.org');
const OURS = ['app.example.org 300 A 240.240.0.1'];
const FORWARDED = ['app.example.org 300 A 198.51.100.7'];
const OUTSIDER = { namespace: 'elsewhere' };

const answers = async (
  answering: Answering,
  ...view: Parameters<Answering['ask']> extends [unknown, (infer V)?] ? [V?] : []
) => answersOf(await answering.ask(asked, ...view));

describe('a hit', () => {
  it('is there at once, without a deadline, a read, or a question to anybody', async () => {
    const answering = createAnswering([PRIVATE]);
    const { exchange, reads } = answering;
    await exchange.answer(asked, DEFAULT_VIEW, () => AbortSignal.timeout(1000));
    const before = reads.count;
    const hit = exchange.answer(asked, DEFAULT_VIEW, () => expect.fail('a clock for a cached answer'));
    expect(hit).toMatchObject({ source: 'cache', maxAge: 300 });
    expect(reads.count).toBe(before);
    expect(exchange.counters).toEqual({ hits: 1, misses: 1, stale: 0 });
  });

  it('is counted as one when the forwarded answer was kept but the decision was not', async () => {
    const answering = createAnswering();
    await answering.ask(asked);
    answering.clock.now += DECISION_MAX_MS;
    await answering.ask(asked);
    expect(answering.forwarded).toHaveLength(1);
    expect(answering.exchange.counters).toEqual({ hits: 1, misses: 1, stale: 0 });
  });

  it('has nothing for octets that are no query, and counts them nowhere', () => {
    const { exchange } = createAnswering();
    expect(exchange.answer(Buffer.from('hello'), DEFAULT_VIEW, () => expect.fail())).toHaveProperty('malformed');
    expect(exchange.counters).toEqual({ hits: 0, misses: 0, stale: 0 });
  });
});

describe('a flood of names', () => {
  it('is answered SERVFAIL at once when too many queries wait, and over as soon as they are', async () => {
    const { promise: stuck, resolve: release } = Promise.withResolvers<void>();
    const resolver = {
      resolve: async () => {
        await stuck;
        return { wire: Buffer.alloc(12), source: 'error', maxAge: undefined } as const;
      },
    };
    const exchange = createExchange(resolver, undefined);
    const ask = (n: number) =>
      exchange.answer(queryWire(`n${n}.example`, 'A', { edns: { udpSize: 1232 } }), DEFAULT_VIEW, () =>
        AbortSignal.timeout(60_000),
      );
    const waiting = Array.from({ length: 10_000 }, (_, n) => ask(n));
    const refused = (await ask(10_000)) as { wire: Buffer; maxAge: undefined };
    expect([rcodeIn(refused.wire), edeCodesOf(refused.wire), refused.maxAge]).toEqual(['SERVFAIL', [14], undefined]);
    release();
    await Promise.all(waiting);
    expect(ask(10_001)).toBeInstanceOf(Promise);
  });
});

describe('views', () => {
  it('that may not see a host get what is outside, whoever asks first', async () => {
    for (const order of [
      [{}, OUTSIDER],
      [OUTSIDER, {}],
    ]) {
      const answering = createAnswering([PRIVATE]);
      for (const view of [...order, ...order]) {
        expect(await answers(answering, view)).toEqual(view === OUTSIDER ? FORWARDED : OURS);
      }
    }
  });

  it('that may see it do not get what was forwarded for others, even when their own answer has ended', async () => {
    const answering = createAnswering([PRIVATE]);
    expect(await answers(answering, OUTSIDER)).toEqual(FORWARDED);
    expect(await answers(answering)).toEqual(OURS);
    answering.clock.now += DECISION_MAX_MS;
    expect(await answers(answering)).toEqual(OURS);
  });

  it('that are narrowed have answers of their own', async () => {
    const answering = createAnswering([
      hostRecord('app.example.org', { vip: VIP, resolution: 'STATIC', endpoints: ['192.0.2.9'] }),
    ]);
    expect(await answers(answering)).toEqual(OURS);
    expect(await answers(answering, { vips: false })).toEqual(['app.example.org 30 A 192.0.2.9']);
    expect(await answers(answering, { families: ['ipv6'] })).toEqual([]);
    expect(await answers(answering, { forwardUnknown: false })).toEqual(OURS);
  });

  it.each<Partial<View>>([
    { namespace: 'elsewhere' },
    { searchDomains: ['internal'] },
    { clusterDomain: 'cluster.test' },
    { families: ['ipv4', 'ipv6'] },
    { vips: 'proxy' },
    { vips: false },
    { forwardUnknown: false },
  ])('that differ in %o share no answer', async (changed) => {
    const answering = createAnswering([hostRecord('app.example.org', { vip: VIP })]);
    for (const view of [{}, changed, {}, changed]) await answering.ask(asked, view);
    expect(answering.reads.count).toBe(2);
  });

  it('that say the same share their answers, whoever they belong to', async () => {
    const answering = createAnswering([hostRecord('app.example.org', { vip: VIP })]);
    for (const searchDomains of [['internal'], ['internal']]) await answering.ask(asked, { searchDomains });
    expect(answering.reads.count).toBe(1);
  });

  it('that do not forward are refused what is cached for those that do', async () => {
    const answering = createAnswering();
    await answering.ask(asked);
    expect(rcodeIn(await answering.ask(asked, { forwardUnknown: false }))).toBe('REFUSED');
  });
});

describe('a registry that changes elsewhere', () => {
  it('shows within the time of a decision: a new host, one that is gone, and one that is hidden', async () => {
    const answering = createAnswering();
    const { hosts, clock } = answering;
    expect(await answers(answering)).toEqual(FORWARDED);
    hosts.set('app.example.org', PRIVATE);
    clock.now += DECISION_MAX_MS;
    expect(await answers(answering)).toEqual(OURS);
    hosts.delete('app.example.org');
    clock.now += DECISION_MAX_MS;
    expect((await answers(answering))[0]).toMatch(/198\.51\.100\.7$/);
  });

  it('that cannot be read stops no answer whose decision stands, and keeps no failure', async () => {
    const answering = createAnswering([PRIVATE]);
    await answering.ask(asked);
    answering.reads.available = false;
    expect(await answers(answering)).toEqual(OURS);
    answering.clock.now += DECISION_MAX_MS;
    expect(rcodeIn(await answering.ask(asked))).toBe('SERVFAIL');
    answering.reads.available = true;
    expect(await answers(answering)).toEqual(OURS);
  });
});
