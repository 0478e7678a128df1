import { describe, expect, it } from 'vitest';
import { AnswerCache } from '../../src/cache/answer-cache.ts';
import type { ResponseContent } from '../../src/dns/response.ts';
import { answersOf, authoritiesOf, decoded, message, name, queryWire, responseWire } from '../support/dns.ts';

const VIEW = 'a view';
const ANOTHER = 'another view';
const asked = queryWire('a.example', 'A', { edns: { udpSize: 1232 } });

function cacheAt(
  options: { maxBytes?: number; decisionMaxMs?: number; staleMaxMs?: number; failureSeconds?: number } = {},
) {
  const clock = { now: 1_000_000 };
  const now = () => clock.now;
  const cache = new AnswerCache({
    maxBytes: 100_000,
    decisionMaxMs: 5_000,
    staleMaxMs: 3_600_000,
    ...options,
    now,
  });
  return { cache, clock };
}

const address = (last: number, ttl = 300) =>
  ({ type: 'A', owner: name('a.example'), ttl, address: `192.0.2.${last}` }) as const;

const soa = (ttl: number, minimum: number) =>
  ({
    type: 'SOA',
    owner: name('example'),
    ttl,
    mname: name('example'),
    rname: name('example'),
    serial: 1,
    refresh: 1,
    retry: 1,
    expire: 1,
    minimum,
  }) as const;

const respond = (content: Partial<ResponseContent>, query = asked) => responseWire(decoded(query), content);

describe('an answer made here', () => {
  it('is found with the id and the case of the query, and its TTL is not counted down', () => {
    const { cache, clock } = cacheAt();
    cache.keepOwned(asked, VIEW, respond({ answers: [address(1)] }), 300, cache.generation);
    clock.now += 4_999;
    const again = queryWire('A.eXample', 'A', { id: 0xbeef, edns: { udpSize: 512 }, keepCase: true });
    const found = cache.find(again, VIEW);
    expect(found?.maxAge).toBe(300);
    expect(found?.wire.readUInt16BE(0)).toBe(0xbeef);
    expect(found?.wire.subarray(12, 27).equals(again.subarray(12, 27))).toBe(true);
    expect(answersOf(found?.wire ?? Buffer.alloc(0))).toEqual(['a.example 300 A 192.0.2.1']);
  });

  it('lives no longer than the decision, or its TTL', () => {
    const { cache, clock } = cacheAt();
    cache.keepOwned(asked, VIEW, respond({ answers: [address(1)] }), 300, cache.generation);
    clock.now += 5_000;
    expect(cache.find(asked, VIEW)).toBeUndefined();
    cache.keepOwned(asked, VIEW, respond({ answers: [address(1, 2)] }), 2, cache.generation);
    clock.now += 2_000;
    expect(cache.find(asked, VIEW)).toBeUndefined();
  });

  it('is another view’s business only', () => {
    const { cache } = cacheAt();
    cache.keepOwned(asked, VIEW, respond({ answers: [address(1)] }), 300, cache.generation);
    expect(cache.find(asked, ANOTHER)).toBeUndefined();
    expect(cache.forwarded(asked)).toBeUndefined();
  });

  it('is gone after a commit, and one found before it is not kept after it', () => {
    const { cache } = cacheAt();
    const before = cache.generation;
    cache.keepOwned(asked, VIEW, respond({ answers: [address(1)] }), 300, before);
    cache.forgetDecisions();
    expect(cache.find(asked, VIEW)).toBeUndefined();
    cache.keepOwned(asked, VIEW, respond({ answers: [address(1)] }), 300, before);
    expect(cache.find(asked, VIEW)).toBeUndefined();
  });

  it('rotates its addresses', () => {
    const { cache } = cacheAt();
    const alias = { type: 'CNAME', owner: name('a.example'), ttl: 30, target: name('b.example') } as const;
    const addresses = [1, 2, 3].map((last) => ({ ...address(last), owner: name('b.example') }));
    cache.keepOwned(asked, VIEW, respond({ answers: [alias, ...addresses] }), 30, cache.generation);
    const orders = Array.from({ length: 4 }, () => {
      const wire = cache.find(asked, VIEW)?.wire ?? Buffer.alloc(0);
      const { answers } = message(wire);
      expect(answers[0]?.data).toBe('b.example');
      return answers
        .slice(1)
        .map(({ data }) => data.slice(-1))
        .join('');
    });
    expect(orders).toEqual(['123', '231', '312', '123']);
  });
});

describe('a forwarded answer', () => {
  const kept = (content: Partial<ResponseContent>, options = {}) => {
    const at = cacheAt(options);
    at.cache.keepForwarded(asked, respond(content));
    return at;
  };

  it('is shared, but a view gets it only while it is known to be none of its own', () => {
    const { cache, clock } = kept({ answers: [address(1)] });
    expect(cache.find(asked, VIEW)).toBeUndefined();
    cache.keepForwarding(asked, VIEW, cache.generation);
    expect(cache.find(asked, VIEW)).toBeDefined();
    expect(cache.find(asked, ANOTHER)).toBeUndefined();
    clock.now += 5_000;
    expect(cache.find(asked, VIEW)).toBeUndefined();
    expect(cache.forwarded(asked)).toBeDefined();
    cache.keepForwarding(asked, VIEW, cache.generation);
    cache.forgetDecisions();
    expect(cache.find(asked, VIEW)).toBeUndefined();
  });

  it('counts its TTLs down, all but that of the OPT', () => {
    const { cache, clock } = kept({ answers: [address(1, 300), address(2, 100)] });
    clock.now += 99_999;
    const found = cache.forwarded(asked);
    expect(answersOf(found?.wire ?? Buffer.alloc(0))).toEqual(['a.example 201 A 192.0.2.1', 'a.example 1 A 192.0.2.2']);
    expect(found).toMatchObject({ maxAge: 1, stale: false });
    expect(message(found?.wire ?? Buffer.alloc(0)).edns).toMatchObject({ version: 0, udpSize: 1232, do: false });
    clock.now += 1;
    expect(cache.forwarded(asked)).toBeUndefined();
  });

  it.each<[string, Partial<ResponseContent>, number]>([
    ['an answer: its shortest TTL', { answers: [address(1, 300), address(2, 20)] }, 20],
    ['an answer that claims a year: a day', { answers: [address(1, 31_536_000)] }, 86_400],
    ['NXDOMAIN: the smaller of TTL and minimum', { rcode: 3, authorities: [soa(50, 10)] }, 10],
    ['NXDOMAIN: a minute at most', { rcode: 3, authorities: [soa(3600, 900)] }, 60],
    ['NODATA: a minute at most', { authorities: [soa(3600, 900)] }, 60],
    [
      'NODATA of a CNAME’s target: a minute at most',
      {
        answers: [{ type: 'CNAME', owner: name('a.example'), ttl: 300, target: name('b.example') }],
        authorities: [soa(3600, 900)],
      },
      60,
    ],
    ['SERVFAIL: 5 seconds', { rcode: 2 }, 5],
    ['a denial without an SOA: not at all', { rcode: 3 }, 0],
    ['a TTL of 0: not at all', { answers: [address(1, 0)] }, 0],
    ['a TTL with the highest bit set: not at all', { answers: [address(1, 0x8000_0000)] }, 0],
    ['REFUSED: not at all', { rcode: 5 }, 0],
  ])('is fresh for so long: %s', (_what, content, seconds) => {
    const { cache, clock } = kept(content, { staleMaxMs: 0 });
    if (seconds > 0) {
      clock.now += seconds * 1000 - 1;
      expect(cache.forwarded(asked)).toMatchObject({ stale: false });
      clock.now += 1;
    }
    expect(cache.forwarded(asked)).toBeUndefined();
  });

  it('denies for the rest of its time, whatever TTL its SOA has', () => {
    const { cache, clock } = kept({ rcode: 3, authorities: [soa(3600, 50)] });
    clock.now += 40_000;
    expect(authoritiesOf(cache.forwarded(asked)?.wire ?? Buffer.alloc(0))).toEqual([
      expect.stringMatching(/^example 10 SOA /),
    ]);
  });

  it('is stale after its end, with short TTLs, while failed upstreams are spared and until it is too old', () => {
    const { cache, clock } = kept({ answers: [address(1, 60)] });
    clock.now += 60_000;
    expect(cache.forwarded(asked)).toBeUndefined();
    expect(cache.stale(asked)).toMatchObject({ stale: true, maxAge: 30 });
    expect(answersOf(cache.forwarded(asked)?.wire ?? Buffer.alloc(0))).toEqual(['a.example 30 A 192.0.2.1']);
    clock.now += 5_000;
    expect(cache.forwarded(asked)).toBeUndefined();
    clock.now += 3_600_000 - 5_001;
    expect(cache.stale(asked)).toBeDefined();
    clock.now += 1;
    expect(cache.stale(asked)).toBeUndefined();
    expect(cache.forwarded(asked)).toBeUndefined();
  });

  it('is never stale when it was for the time being only', () => {
    const { cache, clock } = cacheAt();
    cache.keepForwarded(asked, respond({ answers: [address(1, 30)] }), { servesStale: false });
    clock.now += 29_999;
    expect(cache.forwarded(asked)).toMatchObject({ stale: false });
    clock.now += 1;
    expect(cache.stale(asked)).toBeUndefined();
  });

  it('is never stale when it is a SERVFAIL', () => {
    const { cache, clock } = kept({ rcode: 2 });
    expect(cache.forwarded(asked)).toMatchObject({ maxAge: undefined });
    clock.now += 5_000;
    expect(cache.stale(asked)).toBeUndefined();
  });

  it('gives way to a newer one, also to one that may not be kept', () => {
    const { cache, clock } = kept({ answers: [address(1, 60)] });
    clock.now += 60_000;
    cache.keepForwarded(asked, respond({ answers: [address(2, 0)] }));
    expect(cache.stale(asked)).toBeUndefined();
  });
});

describe('memory', () => {
  it('is bounded: the least recently used goes first', () => {
    const { cache } = cacheAt({ maxBytes: 4_000 });
    const names = Array.from({ length: 50 }, (_, index) => queryWire(`n${index}.example`));
    for (const one of names) {
      cache.keepForwarded(one, respond({ answers: [address(1)] }, one));
      expect(cache.octets).toBeLessThanOrEqual(4_000);
    }
    const left = names.map((one) => cache.forwarded(one) !== undefined);
    expect(left.slice(-5)).toEqual([true, true, true, true, true]);
    expect(left.slice(0, 40)).not.toContain(true);
  });

  it('takes no entry that is larger than all of it', () => {
    const { cache } = cacheAt({ maxBytes: 1 });
    cache.keepForwarded(asked, respond({ answers: [address(1)] }));
    expect([cache.forwarded(asked), cache.octets]).toEqual([undefined, 0]);
  });

  it('hands out copies: what a caller does to one changes no other', () => {
    const { cache } = cacheAt();
    cache.keepForwarded(asked, respond({ answers: [address(1)] }));
    cache.forwarded(asked)?.wire.fill(0xff);
    expect(answersOf(cache.forwarded(asked)?.wire ?? Buffer.alloc(0))).toEqual(['a.example 300 A 192.0.2.1']);
  });
});

describe('names that are forgotten', () => {
  it('are asked about again, and no others', () => {
    const { cache } = cacheAt();
    const other = queryWire('b.example');
    cache.keepForwarded(asked, respond({ answers: [address(1)] }));
    cache.keepForwarded(other, respond({ answers: [address(2)] }, other));
    cache.keepForwarding(asked, VIEW, cache.generation);
    cache.keepForwarding(other, VIEW, cache.generation);
    cache.forgetNames((qname) => qname === '\x01a\x07example\0');
    expect(cache.find(asked, VIEW)).toBeUndefined();
    expect(cache.forwarded(asked)).toBeUndefined();
    expect(cache.stale(asked)).toBeUndefined();
    expect(cache.find(other, VIEW)).toBeDefined();
  });
});

describe('a large cache', () => {
  it('keeps more than it has begun with room for, and no more octets than it may', () => {
    const { cache } = cacheAt({ maxBytes: 2_000_000 });
    for (let n = 0; n < 10_000; n++) {
      const query = queryWire(`n${n}.example`);
      cache.keepForwarded(query, respond({ answers: [address(1)] }, query));
      expect(cache.octets).toBeLessThanOrEqual(2_000_000);
    }
    expect(cache.entries).toBeGreaterThan(3_000);
    expect(cache.forwarded(queryWire('n9999.example'))).toBeDefined();
    expect(cache.forwarded(queryWire('n0.example'))).toBeUndefined();
    cache.forgetNames(() => true);
    expect([cache.octets, cache.entries]).toEqual([0, 0]);
  });
});

describe('a failure', () => {
  it.each([
    [undefined, 5],
    [1, 1],
  ])('is kept for as long as is set (%s)', (failureSeconds, seconds) => {
    const { cache, clock } = cacheAt(failureSeconds === undefined ? {} : { failureSeconds });
    cache.keepForwarded(asked, respond({ rcode: 2 }));
    clock.now += seconds * 1000 - 1;
    expect(cache.forwarded(asked)).toBeDefined();
    clock.now += 1;
    expect(cache.forwarded(asked)).toBeUndefined();
  });
});
