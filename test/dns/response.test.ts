import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EdeCode, Rcode } from '../../src/dns/constants.ts';
import { quoted } from '../../src/dns/rdata-text.ts';
import type { ResourceRecord } from '../../src/dns/record.ts';
import { encodeResponse } from '../../src/dns/response.ts';
import { sameQuestion } from '../../src/dns/walk.ts';
import { answersOf, authoritiesOf, decoded, message, name, query } from '../support/dns.ts';
import { responseCase } from '../support/dns-arbitraries.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

const a = (owner: string, address = '240.240.1.2'): ResourceRecord => ({
  owner: name(owner),
  ttl: 300,
  type: 'A',
  address,
});

const soa = (owner: string): ResourceRecord => ({
  owner: name(owner),
  ttl: 30,
  type: 'SOA',
  mname: name(`ns.${owner}`),
  rname: name(`hostmaster.${owner}`),
  serial: 4_294_967_295,
  refresh: 7200,
  retry: 900,
  expire: 86_400,
  minimum: 30,
});

describe('encodeResponse', () => {
  it('writes header, question and answer octet for octet', () => {
    const wire = encodeResponse(query('a.b', 'A', { id: 0x1234 }), { rcode: 0, aa: true, answers: [a('a.b')] });
    expect(wire).toEqual(
      hex('1234 8580 0001 0001 0000 0000 0161 0162 00 0001 0001 c00c 0001 0001 0000012c 0004 f0f00102'),
    );
  });

  it('echoes id, opcode, RD and CD, and sets RA', () => {
    const header = (wire: string) => encodeResponse(decoded(hex(wire)), { rcode: 0 }).toString('hex', 0, 4);
    expect(header('abcd 0110 0000 0000 0000 0000')).toBe('abcd8190');
    expect(header('abcd 0000 0000 0000 0000 0000')).toBe('abcd8080');
    expect(header('abcd 2020 0000 0000 0000 0000')).toBe('abcda080');
  });

  it('echoes the question with its case, and points owners to it', () => {
    const asked = query('AuTo.InTeRnAl', 'A', { keepCase: true });
    const wire = encodeResponse(asked, { rcode: 0, answers: [a('auto.internal')] });
    expect(wire.toString('latin1')).toContain('\x04AuTo\x08InTeRnAl');
    expect(wire.toString('latin1')).not.toContain('auto');
    expect(answersOf(wire)).toEqual(['auto.internal 300 A 240.240.1.2']);
  });

  it('writes no question where there was not exactly one', () => {
    const wire = encodeResponse(decoded(hex('0001 0000 0000 0000 0000 0000')), { rcode: Rcode.formErr });
    expect(wire).toEqual(hex('0001 8081 0000 0000 0000 0000'));
  });

  it('writes every type it knows', () => {
    const owner = name('x.internal');
    const target = name('y.internal');
    const records: ResourceRecord[] = [
      { owner, ttl: 1, type: 'A', address: '198.51.100.1' },
      { owner, ttl: 2, type: 'AAAA', address: '2001:2::f0f0:102' },
      { owner, ttl: 3, type: 'CNAME', target },
      { owner, ttl: 4, type: 'PTR', target },
      { owner, ttl: 5, type: 'SRV', priority: 0, weight: 100, port: 9000, target },
      { owner, ttl: 6, type: 'HINFO', cpu: 'RFC8482', os: '' },
      { owner, ttl: 7, type: 'TXT', text: ['a "b"', 'ü'] },
      { ...soa('internal'), owner },
    ];
    const wire = encodeResponse(query('x.internal', 'ANY'), { rcode: 0, answers: records });
    expect(answersOf(wire)).toEqual([
      'x.internal 1 A 198.51.100.1',
      'x.internal 2 AAAA 2001:2::f0f0:102',
      'x.internal 3 CNAME y.internal',
      'x.internal 4 PTR y.internal',
      'x.internal 5 SRV 0 100 9000 y.internal',
      'x.internal 6 HINFO "RFC8482" ""',
      'x.internal 7 TXT "a \\"b\\"" "\\195\\188"',
      'x.internal 30 SOA ns.internal hostmaster.internal 4294967295 7200 900 86400 30',
    ]);
    const independent = dnsPacket.decode(wire).answers ?? [];
    expect(independent.map((answer) => ('data' in answer ? answer.data : undefined))).toMatchObject([
      '198.51.100.1',
      '2001:2::f0f0:102',
      'y.internal',
      'y.internal',
      { priority: 0, weight: 100, port: 9000, target: 'y.internal' },
      { cpu: 'RFC8482', os: '' },
      [Buffer.from('a "b"'), Buffer.from('ü')],
      { mname: 'ns.internal', rname: 'hostmaster.internal', serial: 4_294_967_295, minimum: 30 },
    ]);
  });

  it.each([
    ['A', '::1'],
    ['A', '240.240.1'],
    ['A', '1.2.3.256'],
    ['AAAA', '1.2.3.4'],
    ['AAAA', ''],
  ] as const)('will not write %s %j', (type, address) => {
    const answers: ResourceRecord[] = [{ owner: name('a'), ttl: 1, type, address }];
    expect(() => encodeResponse(query('a', type), { rcode: 0, answers })).toThrow(RangeError);
  });

  it('will not write a character string over 255 octets', () => {
    const answers: ResourceRecord[] = [{ owner: name('a'), ttl: 1, type: 'TXT', text: ['x'.repeat(256)] }];
    expect(() => encodeResponse(query('a', 'TXT'), { rcode: 0, answers })).toThrow('256 octets');
  });
});

describe('name compression', () => {
  it('points the names of an SOA to their suffixes', () => {
    const wire = encodeResponse(query('x.internal'), { rcode: Rcode.nxDomain, authorities: [soa('internal')] });
    const internal = (0xc000 + 14).toString(16);
    expect(wire.toString('hex', 12 + 12 + 4)).toMatch(
      new RegExp(`^${internal}0006.{12}....026e73${internal}0a686f73746d6173746572${internal}ffffffff`),
    );
    expect(authoritiesOf(wire)).toHaveLength(1);
  });

  it('points to names written earlier than the question allows', () => {
    const cname: ResourceRecord = { owner: name('a'), ttl: 1, type: 'CNAME', target: name('www.example.com') };
    const wire = encodeResponse(query('a'), {
      rcode: 0,
      answers: [cname, a('www.example.com'), a('mail.example.com')],
    });
    expect(wire.toString('latin1').match(/example/g)).toHaveLength(1);
    expect(wire.toString('latin1').match(/www/g)).toHaveLength(1);
    expect(answersOf(wire)).toEqual([
      'a 1 CNAME www.example.com',
      'www.example.com 300 A 240.240.1.2',
      'mail.example.com 300 A 240.240.1.2',
    ]);
  });

  it('leaves the target of an SRV whole (RFC 2782)', () => {
    const srv: ResourceRecord = {
      owner: name('_a._tcp.x.internal'),
      ttl: 1,
      type: 'SRV',
      priority: 0,
      weight: 100,
      port: 1,
      target: name('x.internal'),
    };
    const wire = encodeResponse(query('_a._tcp.x.internal', 'SRV'), { rcode: 0, answers: [srv] });
    expect(wire.subarray(-12)).toEqual(hex('0178 08696e7465726e616c 00'));
  });

  it('takes an escaped dot for part of its label', () => {
    const cname: ResourceRecord = { owner: name('b.c'), ttl: 1, type: 'CNAME', target: name('a\\.b.c') };
    const wire = encodeResponse(query('b.c'), { rcode: 0, answers: [cname] });
    expect(wire.subarray(-6)).toEqual(hex('03 61 2e 62 c00e'));
    expect(answersOf(wire)).toEqual(['b.c 1 CNAME a\\.b.c']);
  });

  it('writes the root, as question and as target, without a pointer', () => {
    const ptr: ResourceRecord = { owner: name('.'), ttl: 1, type: 'PTR', target: name('.') };
    expect(answersOf(encodeResponse(query('.', 'PTR'), { rcode: 0, answers: [ptr] }))).toEqual(['. 1 PTR .']);
  });

  it('points nowhere a pointer cannot reach', () => {
    const answers = Array.from({ length: 3000 }, (_, index) => a(`h${index % 1500}.z${index % 1500}.example`));
    const wire = encodeResponse(query('example'), { rcode: 0, answers });
    expect(message(wire).answers.map(({ owner }) => owner)).toEqual(
      answers.slice(0, message(wire).answers.length).map(({ owner }) => owner),
    );
    expect(message(wire).answers.length).toBeGreaterThan(1500);
  });
});

describe('EDNS in a response', () => {
  const opt = (wire: Buffer) => message(wire).edns;

  it('is there only when the query has it', () => {
    expect(opt(encodeResponse(query('a'), { rcode: 0, ede: { code: 3 } }))).toBeUndefined();
    expect(opt(encodeResponse(query('a', 'A', { edns: { udpSize: 512 } }), { rcode: 0 }))).toEqual({
      udpSize: 1232,
      version: 0,
      do: false,
      ede: [],
    });
  });

  it('echoes DO and carries the extended error', () => {
    const asked = query('a', 'A', { edns: { udpSize: 4096, do: true } });
    const ede = { code: EdeCode.staleAnswer, text: 'älter' };
    expect(opt(encodeResponse(asked, { rcode: 0, ede }))).toMatchObject({ do: true, ede: [ede] });
    expect(opt(encodeResponse(asked, { rcode: 2, ede: { code: 14 } }))?.ede).toEqual([{ code: 14, text: '' }]);
  });

  it('splits an extended rcode between header and OPT', () => {
    const wire = encodeResponse(query('a', 'A', { edns: { udpSize: 512 } }), { rcode: Rcode.badVers });
    expect(wire[3]).toBe(0x80);
    expect(wire.subarray(-11)).toEqual(hex('00 0029 04d0 01 00 0000 0000'));
    expect(message(wire).rcode).toBe(16);
  });

  it.each([1, 5, 20, 27, 28, 60, 300])(
    'pads %d answers to a multiple of 468 octets when the query is padded',
    (count) => {
      const answers = Array.from({ length: count }, (_, index) => a('padded.internal', `192.0.2.${index % 256}`));
      const wire = encodeResponse(query('padded.internal', 'A', { padded: true }), { rcode: 0, answers });
      expect(wire.length % 468).toBe(0);
      expect(wire.length - 468).toBeLessThan(31 + answers.length * 16 + 15);
      expect(answersOf(wire)).toHaveLength(count);
    },
  );

  it('pads with zeros, whatever was written before', () => {
    encodeResponse(query('x'), {
      rcode: 0,
      answers: [{ owner: name('x'), ttl: 1, type: 'TXT', text: Array(9).fill('~'.repeat(200)) }],
    });
    const wire = encodeResponse(query('x', 'A', { padded: true }), { rcode: 0 });
    expect(wire.subarray(12 + 7 + 11 + 4).every((octet) => octet === 0)).toBe(true);
  });
});

describe('a response that would exceed 65,535 octets', () => {
  const answers = Array.from({ length: 5000 }, (_, index) => a('many.internal', `10.0.${index >> 8}.${index & 255}`));

  it.each([
    ['plain', {}],
    ['with EDNS', { edns: { udpSize: 1232 } }],
    ['padded', { padded: true }],
  ])('keeps the whole records that fit and sets TC, %s', (_, options) => {
    const asked = query('many.internal', 'A', options);
    const wire = encodeResponse(asked, { rcode: 0, answers, authorities: [soa('internal')], ede: { code: 3 } });
    const read = message(wire);
    expect(wire.length).toBeLessThanOrEqual(65_535);
    expect(wire.length).toBeGreaterThan(65_535 - 16);
    expect(read.tc).toBe(true);
    expect(read.answers.length).toBeGreaterThan(4000);
    expect(read.authorities).toEqual([]);
    expect(read.edns !== undefined).toBe(asked.edns !== undefined);
  });

  it('sets TC as well when an authority record is left out', () => {
    const long: ResourceRecord = { owner: name('z'), ttl: 1, type: 'TXT', text: Array(250).fill('x'.repeat(255)) };
    const wire = encodeResponse(query('z'), { rcode: 0, answers: [long], authorities: [long] });
    expect(message(wire)).toMatchObject({ tc: true, answers: [{ owner: 'z' }], authorities: [] });
  });
});

describe('any response', () => {
  it('reads back with its header and its question', () => {
    fc.assert(
      fc.property(responseCase, ({ query: { options, wire: asked }, content, wire }) => {
        const { question } = decoded(asked);
        const { id = 0, rd = true, cd = false } = options;
        const { rcode, aa = false } = content;
        expect(message(wire)).toMatchObject({ id, rd, cd, ra: true, ad: false, tc: false, aa, rcode });
        expect(question && sameQuestion(wire, question)).toBe(true);
      }),
    );
  });

  it('reads back with its records, none of them in the form of unknown types', () => {
    fc.assert(
      fc.property(responseCase, ({ content, wire }) => {
        expect(answersOf(wire)).toEqual((content.answers ?? []).map(lineOf));
        expect(authoritiesOf(wire)).toEqual((content.authorities ?? []).map(lineOf));
      }),
    );
  });

  it('reads back with the extended error where the query has EDNS, and padded where it is', () => {
    fc.assert(
      fc.property(responseCase, ({ query: { wire: asked }, content, wire }) => {
        const { edns } = decoded(asked);
        const ede = content.ede ? [{ text: '', ...content.ede }] : [];
        expect(message(wire).edns).toEqual(edns && { udpSize: 1232, version: 0, do: edns.do, ede });
        if (edns?.padded) expect(wire.length % 468).toBe(0);
      }),
    );
  });
});

const lineOf = (record: ResourceRecord): string =>
  `${record.owner} ${record.ttl} ${record.type} ${dataOf(record).join(' ')}`;

function dataOf(record: ResourceRecord): (string | number)[] {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return [record.type === 'A' ? record.address : new URL(`http://[${record.address}]`).hostname.slice(1, -1)];
    case 'CNAME':
    case 'PTR':
      return [record.target];
    case 'SRV':
      return [record.priority, record.weight, record.port, record.target];
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = record;
      return [mname, rname, serial, refresh, retry, expire, minimum];
    }
    case 'HINFO':
      return [record.cpu, record.os].map(quoted);
    case 'TXT':
      return record.text.map(quoted);
  }
}
