import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rcode, RRType } from '../../src/dns/constants.ts';
import { decodeMessage } from '../../src/dns/message.ts';
import type { ResourceRecord } from '../../src/dns/record.ts';
import { cacheSeconds, rcodeOf, recordsOf, sameQuestion, truncateResponse } from '../../src/dns/walk.ts';
import { answersOf, authoritiesOf, edeCodesOf, message, name, query, responseWire } from '../support/dns.ts';
import { anyOctets, mutated, queryCase, responseCase } from '../support/dns-arbitraries.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

const a = (ttl: number, owner = 'a.b'): ResourceRecord => ({
  owner: name(owner),
  ttl,
  type: 'A',
  address: '192.0.2.1',
});

const cname = (ttl: number): ResourceRecord => ({ owner: name('a.b'), ttl, type: 'CNAME', target: name('c.b') });

const soa = (ttl: number, minimum: number): ResourceRecord => ({
  owner: name('b'),
  ttl,
  type: 'SOA',
  mname: name('ns.b'),
  rname: name('x.b'),
  serial: 1,
  refresh: 2,
  retry: 3,
  expire: 4,
  minimum,
});

/** A response to `a.b A` of octets that no encoder of ours would write. */
const response = (flags: string, counts: string, records: string): Buffer =>
  hex(`0000 ${flags} 0001 ${counts} 0161 0162 00 0001 0001 ${records}`);

describe('recordsOf', () => {
  it('tells where the records of each section are', () => {
    const asked = query('a.b', 'A', { edns: { udpSize: 1232 } });
    const wire = responseWire(asked, { answers: [a(300), a(60)], authorities: [soa(30, 30)] });
    const records = recordsOf(wire) ?? [];
    expect(records.map(({ section, type }) => [section, type])).toEqual([
      ['answer', RRType.A],
      ['answer', RRType.A],
      ['authority', RRType.SOA],
      ['additional', RRType.OPT],
    ]);
    expect(records[0]).toEqual({
      section: 'answer',
      offset: 21,
      type: 1,
      class: 1,
      ttlOffset: 27,
      ttl: 300,
      rdataOffset: 33,
      rdataLength: 4,
      end: 37,
    });
    expect(records.at(-1)?.end).toBe(wire.length);
  });

  it.each([
    ['an empty message', ''],
    ['half a header', '0000 8180 0000 0000 0000'],
    ['a question that is not there', '0000 8180 0001 0000 0000 0000'],
    ['half a question', '0000 8180 0001 0000 0000 0000 00 0001'],
    ['65,535 questions', `0000 8180 ffff 0000 0000 0000 ${'00 0001 0001'.repeat(100)}`],
    ['65,535 records of each kind', `0000 8180 0000 ffff ffff ffff ${'00 0001 0001 00000000 0000'.repeat(100)}`],
    ['RDATA past the end', '0000 8180 0000 0001 0000 0000 00 0001 0001 00000000 0004 c00002'],
    ['half a record', '0000 8180 0000 0001 0000 0000 00 0001 0001 0000'],
    ['an owner that points to itself', '0000 8180 0000 0001 0000 0000 c00c 0001 0001 00000000 0000'],
    ['octets after the last record', '0000 8180 0000 0000 0000 0000 00'],
  ])('refuses %s', (_, octets) => {
    expect(recordsOf(hex(octets))).toBeUndefined();
  });
});

describe('cacheSeconds', () => {
  const asked = query('a.b', 'A', { edns: { udpSize: 1232, do: true } });

  it.each<[string, number | undefined, Buffer]>([
    ['the TTL of the only answer', 300, responseWire(asked, { answers: [a(300)] })],
    ['the smallest TTL of the answers', 20, responseWire(asked, { answers: [cname(60), a(20), a(300)] })],
    ['0 for an answer with TTL 0', 0, responseWire(asked, { answers: [a(0)] })],
    ['the TTL of the SOA of a denial', 25, responseWire(asked, { rcode: Rcode.nxDomain, authorities: [soa(25, 30)] })],
    ['the minimum of the SOA of a denial', 30, responseWire(asked, { rcode: 3, authorities: [soa(900, 30)] })],
    ['the same for NODATA', 30, responseWire(asked, { authorities: [soa(900, 30)] })],
    [
      'the smaller of alias and denial',
      7,
      responseWire(asked, { rcode: 3, answers: [cname(7)], authorities: [soa(30, 30)] }),
    ],
    ['the denial below an alias', 9, responseWire(asked, { answers: [cname(60)], authorities: [soa(9, 30)] })],
    ['nothing for NODATA without an SOA', undefined, responseWire(asked)],
    ['nothing for NXDOMAIN without an SOA', undefined, responseWire(asked, { rcode: 3, answers: [cname(60)] })],
    ['nothing for SERVFAIL', undefined, responseWire(asked, { rcode: Rcode.servFail, answers: [a(300)] })],
    ['nothing for REFUSED', undefined, responseWire(asked, { rcode: Rcode.refused, authorities: [soa(30, 30)] })],
    [
      'nothing for BADVERS, whose header says NOERROR',
      undefined,
      responseWire(asked, { rcode: 16, answers: [a(300)] }),
    ],
    [
      'nothing for a truncated answer',
      undefined,
      response('8380', '0001 0000 0000', 'c00c 0001 0001 0000012c 0004 c0000201'),
    ],
    [
      '0 for a TTL with the highest bit set (RFC 2181)',
      0,
      response('8180', '0001 0000 0000', 'c00c 0001 0001 80000001 0004 c0000201'),
    ],
    ['0 for an SOA without a minimum', 0, response('8183', '0000 0001 0000', 'c00e 0006 0001 0000012c 0002 0000')],
    ['nothing for half a message', undefined, responseWire(asked, { answers: [a(300)] }).subarray(0, 40)],
    ['nothing for no message', undefined, Buffer.alloc(0)],
  ])('is %s', (_, expected, wire) => {
    expect(cacheSeconds(wire)).toBe(expected);
  });

  it('is never more than any TTL of the answers', () => {
    fc.assert(
      fc.property(responseCase, ({ wire, content }) => {
        const seconds = cacheSeconds(wire);
        for (const { ttl } of content.answers ?? []) expect(seconds ?? 0).toBeLessThanOrEqual(ttl);
      }),
    );
  });
});

describe('rcodeOf', () => {
  it('is the header part of the rcode', () => {
    expect(rcodeOf(responseWire(query('a'), { rcode: Rcode.refused }))).toBe(5);
    expect(rcodeOf(Buffer.alloc(0))).toBe(0);
  });
});

describe('sameQuestion', () => {
  const { question } = query('MiXed.example', 'HTTPS', { keepCase: true });
  const asked = question ?? expect.fail('no question');

  it.each([
    ['the same name in another case', responseWire(query('mixed.EXAMPLE', 'HTTPS', { keepCase: true })), true],
    ['another name', responseWire(query('mixed.exampli', 'HTTPS')), false],
    ['a longer name', responseWire(query('mixed.example.org', 'HTTPS')), false],
    ['another type', responseWire(query('mixed.example', 'A')), false],
    ['a type that differs as letters do in case', responseWire(query('mixed.example', 65 + 32)), false],
    ['a query', query('mixed.example', 'HTTPS').wire, false],
    ['no octets', Buffer.alloc(0), false],
    ['a header only', responseWire(query('mixed.example', 'HTTPS')).subarray(0, 12), false],
  ])('%s: %#', (_, wire, expected) => {
    expect(sameQuestion(wire, asked)).toBe(expected);
  });

  it('wants exactly one question', () => {
    const wire = responseWire(query('mixed.example', 'HTTPS'));
    wire[5] = 2;
    expect(sameQuestion(wire, asked)).toBe(false);
  });

  it('folds ASCII letters only', () => {
    const { question: brackets } = query('[a');
    expect(brackets && sameQuestion(responseWire(query('{a')), brackets)).toBe(false);
  });
});

describe('truncateResponse', () => {
  const many = (count: number): ResourceRecord[] => Array.from({ length: count }, (_, index) => a(index));
  const edns = { udpSize: 4096 };

  it('leaves alone what fits', () => {
    const wire = responseWire(query('a.b'), { answers: many(30) });
    expect(wire).toHaveLength(501);
    expect(truncateResponse(wire, 512)).toBe(wire);
    expect(truncateResponse(wire, 0)).toBe(wire);
  });

  it('keeps the whole answers that fit, in order, and sets TC', () => {
    const wire = responseWire(query('a.b'), { answers: many(40), authorities: [soa(30, 30)] });
    const short = truncateResponse(wire, 512);
    expect(short).toHaveLength(21 + 30 * 16);
    expect(answersOf(short)).toEqual(answersOf(wire).slice(0, 30));
    expect(message(short)).toMatchObject({ tc: true, authorities: [], additionals: [], rcode: 0, ra: true });
    expect(message(wire).tc).toBe(false);
  });

  it('takes no limit below 512 octets', () => {
    const wire = responseWire(query('a.b'), { answers: many(40) });
    expect(truncateResponse(wire, 100)).toEqual(truncateResponse(wire, 512));
  });

  it('keeps the OPT with its extended error, without its padding', () => {
    const asked = query('a.b', 'A', { edns, padded: true });
    const short = truncateResponse(responseWire(asked, { answers: many(60), ede: { code: 3, text: 'old' } }), 512);
    expect(message(short)).toMatchObject({ tc: true, edns: { udpSize: 1232, ede: [{ code: 3, text: 'old' }] } });
    expect(answersOf(short)).toHaveLength(Math.floor((512 - 21 - 11 - 9) / 16));
  });

  it('is content with leaving out padding', () => {
    const asked = query('a.b', 'A', { edns, padded: true });
    const wire = responseWire(asked, { answers: many(28) });
    expect(wire).toHaveLength(936);
    const short = truncateResponse(wire, 512);
    expect(message(short).tc).toBe(false);
    expect(answersOf(short)).toEqual(answersOf(wire));
  });

  it('leaves out additional records without TC, since they were a courtesy (RFC 2181)', () => {
    const glue = 'c00c 0001 0001 00000001 0004 c0000201';
    const wire = response('8180', '0001 0001 0028', `${glue} c00e 0002 0001 00000001 0002 c00c ${glue.repeat(40)}`);
    const short = truncateResponse(wire, 512);
    expect(message(short)).toMatchObject({ tc: false, additionals: [] });
    expect(answersOf(short)).toHaveLength(1);
    expect(authoritiesOf(short)).toEqual(['b 1 NS a.b']);
  });

  it('empties an OPT whose options are too long by themselves', () => {
    const asked = query('a.b', 'A', { edns });
    const short = truncateResponse(
      responseWire(asked, { answers: many(2), ede: { code: 3, text: 'x'.repeat(600) } }),
      512,
    );
    expect(edeCodesOf(short)).toEqual([]);
    expect(message(short)).toMatchObject({ tc: false, edns: { udpSize: 1232 } });
    expect(answersOf(short)).toHaveLength(2);
  });

  it('says no more than TC of a message it cannot take apart', () => {
    const wire = Buffer.alloc(600, 0xff);
    expect(truncateResponse(wire, 512)).toEqual(hex('ffff ffff 0000 0000 0000 0000'));
    const questions = hex(`0001 8180 0064 0000 0000 0000 ${'0161 00 0001 0001'.repeat(100)}`);
    expect(truncateResponse(questions, 512)).toEqual(hex('0001 8380 0000 0000 0000 0000'));
  });

  it('always fits, reads as a message and keeps the question', () => {
    fc.assert(
      fc.property(responseCase, fc.integer({ min: 0, max: 2000 }), ({ wire }, maxOctets) => {
        const short = truncateResponse(wire, maxOctets);
        const before = message(wire);
        const after = message(short);
        expect(short.length).toBeLessThanOrEqual(Math.max(maxOctets, 512));
        expect(after.questions).toEqual(before.questions);
        expect(after.answers).toEqual(before.answers.slice(0, after.answers.length));
        expect(after.edns !== undefined).toBe(before.edns !== undefined);
        const complete =
          after.answers.length === before.answers.length && after.authorities.length === before.authorities.length;
        expect(after.tc).toBe(!complete);
      }),
      { numRuns: 300 },
    );
  });
});

describe('hostile octets', () => {
  const wires = fc.oneof(
    anyOctets,
    mutated(responseCase.map(({ wire }) => wire)),
    mutated(queryCase.map(({ wire }) => wire)),
  );

  it('never make a reader throw, and truncate to messages', () => {
    fc.assert(
      fc.property(wires, queryCase, fc.integer({ min: 0, max: 1000 }), (wire, { wire: asked }, maxOctets) => {
        const records = recordsOf(wire) ?? [];
        for (const { end } of records) expect(end).toBeLessThanOrEqual(wire.length);
        const seconds = cacheSeconds(wire);
        if (seconds !== undefined) expect(seconds).toBeGreaterThanOrEqual(0);
        expect(sameQuestion(wire, { ...query('a.b'), wire: asked.subarray(12) } as never)).toBeTypeOf('boolean');
        const short = truncateResponse(wire, maxOctets);
        expect(short.length).toBeLessThanOrEqual(Math.max(maxOctets, 512));
        if (short !== wire) expect(recordsOf(short)).toBeDefined();
        if (short !== wire && decodeMessage(wire)) expect(decodeMessage(short)).toBeDefined();
      }),
      { numRuns: 1000 },
    );
  });
});
