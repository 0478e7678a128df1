import { describe, expect, it } from 'vitest';
import { canaryAnswer, canaryName, canaryQuery, isCanaryAnswer } from '../../../src/shim/capture/canary.ts';
import { answersOf, decoded, queryWire, rcodeIn, responseWire } from '../../support/dns.ts';

describe('canaryAnswer', () => {
  it('answers names of its zone, at any depth and in any case, with its address and no time to live', () => {
    for (const name of ['x.canary.meshdoh.internal', 'a.b.CaNaRy.MESHDOH.internal', 'canary.meshdoh.internal']) {
      const answer = canaryAnswer(queryWire(name, 'A', { keepCase: true, edns: { udpSize: 1232 } }));
      expect(answer && answersOf(answer)).toEqual([`${name.toLowerCase()} 0 A 127.0.53.1`]);
    }
  });

  it('has no other records, but says that the name exists', () => {
    const answer = canaryAnswer(queryWire('x.canary.meshdoh.internal', 'AAAA'));
    expect(answer && [rcodeIn(answer), answersOf(answer)]).toEqual(['NOERROR', []]);
  });

  it.each(['meshdoh.internal', 'xcanary.meshdoh.internal', 'canary.meshdoh.internal.example', '.', 'auto.internal'])(
    'leaves %s to others',
    (name) => {
      expect(canaryAnswer(queryWire(name))).toBeUndefined();
    },
  );

  it.each([Buffer.alloc(0), Buffer.alloc(12), Buffer.alloc(600, 0xff), Buffer.alloc(600)])(
    'takes no harm from what is no query',
    (wire) => {
      expect(canaryAnswer(wire)).toBeUndefined();
    },
  );
});

describe('isCanaryAnswer', () => {
  const query = canaryQuery('nonce', 4711);

  it('knows its own answer', () => {
    const answer = canaryAnswer(query) ?? Buffer.alloc(0);
    expect(isCanaryAnswer(answer, query)).toBe(true);
    expect(isCanaryAnswer(answer, canaryQuery('nonce', 1)), 'to another query').toBe(false);
  });

  it('is not taken in by another address, or none', () => {
    const owner = canaryName('nonce');
    const other = { owner, ttl: 0, type: 'A' as const, address: '192.0.2.1' };
    expect(isCanaryAnswer(responseWire(decoded(query), { answers: [other] }), query)).toBe(false);
    expect(isCanaryAnswer(responseWire(decoded(query), { rcode: 3 }), query)).toBe(false);
    expect(isCanaryAnswer(Buffer.alloc(3), query)).toBe(false);
  });
});
