import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseType } from '../../src/dns/constants.ts';
import { decodeMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { message, name, query, responseWire } from '../support/dns.ts';
import { anyOctets, mutated, responseCase } from '../support/dns-arbitraries.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** A response to `a.b A` with one answer, whose RDATA begins at offset 33. */
function withAnswer(type: string, rdata: string): Buffer {
  const octets = hex(rdata);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(parseType(type) ?? 0, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt16BE(octets.length, 8);
  return Buffer.concat([hex('0000 8180 0001 0001 0000 0000 0161 0162 00 0001 0001 c00c'), fixed, octets]);
}

describe('decodeMessage', () => {
  it('reads header, question, records and EDNS', () => {
    const asked = query('a.b', 'AAAA', { id: 7, cd: true, edns: { udpSize: 512, do: true } });
    const wire = responseWire(asked, {
      rcode: 16,
      aa: true,
      answers: [{ owner: name('a.b'), ttl: 300, type: 'AAAA', address: '2001:db8::1' }],
      ede: { code: 22, text: 'none left' },
    });
    expect(decodeMessage(wire)).toEqual({
      id: 7,
      rcode: 16,
      aa: true,
      tc: false,
      rd: true,
      ra: true,
      ad: false,
      cd: true,
      questions: [{ name: 'a.b', type: 28, class: 1 }],
      answers: [{ owner: 'a.b', type: 28, ttl: 300, data: '2001:db8::1' }],
      authorities: [],
      additionals: [],
      edns: { udpSize: 1232, version: 0, do: true, ede: [{ code: 22, text: 'none left' }] },
    });
  });

  it('reads a query, too', () => {
    expect(message(query('a.b').wire)).toMatchObject({ ra: false, questions: [{ name: 'a.b', type: 1 }] });
  });

  it('keeps additional records other than the OPT', () => {
    const wire = hex(
      '0000 8420 0000 0000 0000 0002 0161 00 0001 0001 00000001 0004 c0000201 00 0029 0200 00000000 0000',
    );
    expect(message(wire)).toMatchObject({
      ad: true,
      additionals: [{ owner: 'a', type: 1, ttl: 1, data: '192.0.2.1' }],
      edns: { udpSize: 512 },
    });
  });

  it.each([
    ['A', 'c0000201', '192.0.2.1'],
    ['AAAA', '20010db8 00000000 00010000 00000001', '2001:db8::1:0:0:1'],
    ['NS', '026e73 c00e', 'ns.b'],
    ['CNAME', '03612e62 c00e', 'a\\.b.b'],
    ['PTR', 'c00c', 'a.b'],
    ['DNAME', '00', '.'],
    ['SOA', 'c00c c00e 00000001 00000002 00000003 00000004 ffffffff', 'a.b b 1 2 3 4 4294967295'],
    ['MX', '000a c00c', '10 a.b'],
    ['SRV', '0000 0064 2328 c00c', '0 100 9000 a.b'],
    ['RP', 'c00c 00', 'a.b .'],
    ['HINFO', '07 52464338343832 00', '"RFC8482" ""'],
    ['TXT', '03 612262 02 0a5c 00', '"a\\"b" "\\010\\\\" ""'],
    ['TXT', '02 c3bc', '"\\195\\188"'],
    ['CAA', '00 05 6973737565 6361', '0 issue "ca"'],
    ['CAA', '80 05 6973737565 6361', '128 issue "ca"'],
    ['NAPTR', '000a 0064 01 53 07 5349502b443254 00 0173 00', '10 100 "S" "SIP+D2T" "" s'],
    ['DS', '1234 08 02 abcd', '4660 8 2 abcd'],
    ['DNSKEY', '0101 03 08 010203', '257 3 8 AQID'],
    ['TLSA', '03 01 01 abcd', '3 1 1 abcd'],
    ['SSHFP', `01 01 ${'ab'.repeat(20)}`, `1 1 ${'AB'.repeat(20)}`],
    ['NSEC', '03 1b5c20 00 00 01 40', '\\027\\\\\\032 A'],
    ['CAA', '00 02 1b5b 6361', '0 \\027[ "ca"'],
    ['NSEC', '0162 00 00 06 400000000003', 'b A RRSIG NSEC'],
    ['HTTPS', '0000 0161 0162 00', '0 a.b'],
    ['HTTPS', '0001 00 0001 0006 02 6832 02 6833', '1 . alpn="h2,h3"'],
    [
      'SVCB',
      '0010 0161 00 0000 0004 0001 0004 0001 0003 02 6832 0004 0004 c0000201',
      '16 a mandatory=alpn,ipv4hint alpn="h2" ipv4hint=192.0.2.1',
    ],
    [
      'SVCB',
      '0001 00 0002 0000 0003 0002 20fb 0004 0008 c0000201 c0000202 0005 0002 fe0d',
      '1 . no-default-alpn port=8443 ipv4hint=192.0.2.1,192.0.2.2 ech="/g0="',
    ],
    ['SVCB', '0001 00 0006 0010 20010db8 00000000 00000000 00000001', '1 . ipv6hint=2001:db8::1'],
    ['SVCB', '0001 00 0007 0006 2f7b3f646e73 0008 0000', '1 . dohpath="/{?dns" ohttp'],
    ['SVCB', '0001 00 029b 0003 6822d2 ffff 0000', '1 . key667="h\\"\\210" key65535'],
    ['SVCB', '0001 00 0001 000c 08 665c6f6f2c626172 02 6832', '1 . alpn="f\\\\\\\\oo\\\\,bar,h2"'],
    [
      'RRSIG',
      '0001 08 02 0000012c 67748580 66e60600 04d2 0162 00 010203',
      'A 8 2 300 20250101000000 20240914215408 1234 b AQID',
    ],
  ])('shows %s %s as %s', (type, rdata, text) => {
    expect(message(withAnswer(type, rdata)).answers[0]?.data).toBe(text);
  });

  it.each([
    ['of a type without presentation form here', 'TYPE4660', 'abcd', '\\# 2 abcd'],
    ['that is empty', 'TYPE4660', '', '\\# 0'],
    ['of an A that is too short', 'A', 'c00002', '\\# 3 c00002'],
    ['of an A that is too long', 'A', 'c000020100', '\\# 5 c000020100'],
    ['of a CNAME with octets after the name', 'CNAME', 'c00c00', '\\# 3 c00c00'],
    ['of a CNAME that runs past its end', 'CNAME', '05', '\\# 1 05'],
    ['of an MX without a name', 'MX', '000a', '\\# 2 000a'],
    ['of a CNAME that points to itself', 'CNAME', 'c021', '\\# 2 c021'],
    ['of a TXT that runs past its end', 'TXT', '05 61', '\\# 2 0561'],
    ['of a HINFO with one string', 'HINFO', '01 61', '\\# 2 0161'],
    ['of a DNSKEY of another protocol', 'DNSKEY', '0101 04 08 01', '\\# 5 0101040801'],
    ['of an NSEC that points elsewhere', 'NSEC', 'c00c 00 01 40', '\\# 5 c00c000140'],
    ['of an HTTPS without a target', 'HTTPS', '0001', '\\# 2 0001'],
    [
      'of an HTTPS whose keys are out of order',
      'HTTPS',
      '0001 00 0008 0000 0002 0000',
      '\\# 11 0001000008000000020000',
    ],
    ['of an HTTPS with a key twice', 'HTTPS', '0001 00 0002 0000 0002 0000', '\\# 11 0001000002000000020000'],
    ['of an HTTPS with a value past its end', 'HTTPS', '0001 00 0003 0002 20', '\\# 8 0001000003000220'],
    ['of an HTTPS with a hint that is no address', 'HTTPS', '0001 00 0004 0003 c00002', '\\# 10 00010000040003c00002'],
    ['of an HTTPS with an empty protocol', 'HTTPS', '0001 00 0001 0001 00', '\\# 8 0001000001000100'],
    ['of an HINFO in no UTF-8', 'HINFO', '01 ff 00', '\\# 3 01ff00'],
  ])('shows RDATA %s as RFC 3597 does', (_, type, rdata, text) => {
    expect(message(withAnswer(type, rdata)).answers[0]?.data).toBe(text);
  });

  it.each([
    ['no octets', ''],
    ['a question name in a loop', '0000 8180 0001 0000 0000 0000 c00c 0001 0001'],
    ['octets after the last record', '0000 8180 0000 0000 0000 0000 00'],
    [
      'an owner that leads into a loop',
      '0000 8180 0001 0001 0000 0000 01 c0 0d 0001 0001 c00d 0001 0001 00000000 0000',
    ],
  ])('refuses %s', (_, octets) => {
    expect(decodeMessage(hex(octets))).toBeUndefined();
  });

  it('shows no extended error that is cut short', () => {
    const opt = (options: string, length: string) =>
      hex(`0000 8180 0000 0000 0000 0001 00 0029 0200 00000000 ${length} ${options}`);
    expect(message(opt('000f 0001 00', '0005')).edns?.ede).toEqual([]);
    expect(message(opt('000f 0009 0003', '0006')).edns?.ede).toEqual([]);
    expect(message(opt('000c 0000 000f 0002 0003', '000a')).edns?.ede).toEqual([{ code: 3, text: '' }]);
  });

  it('never throws, and all names it shows are names', () => {
    fc.assert(
      fc.property(fc.oneof(anyOctets, mutated(responseCase.map(({ wire }) => wire))), (wire) => {
        const decoded = decodeMessage(wire);
        if (decoded === undefined) return;
        const names = [
          ...decoded.questions.map((question) => question.name),
          ...decoded.answers.map(({ owner }) => owner),
        ];
        for (const shown of names) expect(parseName(shown)).toBe(shown);
      }),
      { numRuns: 500 },
    );
  });

  it('reads RDATA of any octets under any type', () => {
    const types = fc.integer({ min: 1, max: 300 }).filter((type) => type !== 41);
    fc.assert(
      fc.property(types, fc.uint8Array({ maxLength: 64 }), (type, octets) => {
        const data = message(withAnswer(`TYPE${type}`, Buffer.from(octets).toString('hex'))).answers[0]?.data;
        expect(data).toMatch(/^[ -~]*$/);
      }),
      { numRuns: 1000 },
    );
  });
});
