import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import {
  ipText,
  isIpWithin,
  isWithin,
  isWithinAt,
  LOOPBACK,
  parseIp,
  parsePrefix,
  parsePrefixes,
  parseUnmappedIp,
  UNSPECIFIED,
} from '../../src/dns/ip-address.ts';

const textOf = (text: string): string | undefined => {
  const ip = parseIp(text);
  return ip && ipText(ip);
};

describe('an address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8:0:0::0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['0:0:1:2:0:0:3:4', '::1:2:0:0:3:4'],
    ['10:0:0:1:100:0:0:0', '10:0:0:1:100::'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('%s is %s in canonical text', (text, canonical) => {
    expect(textOf(text)).toBe(canonical);
  });

  it.each([
    '',
    '1.2.3',
    '01.2.3.4',
    '1.2.3.256',
    '1.2.3.4.5',
    '0x1.2.3.4',
    ' 1.2.3.4',
    '1.2.3.4%eth0',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '::12345',
    '::1.2.3',
    '1.2.3.4::',
    '[::1]',
    '::g',
    'localhost',
  ])('%j is none', (text) => {
    expect(parseIp(text)).toBeUndefined();
  });

  it('is read and written as ipaddr.js does, whatever its octets', () => {
    const octet = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 }));
    const octets = fc.constantFrom(4, 16).chain((length) => fc.array(octet, { minLength: length, maxLength: length }));
    fc.assert(
      fc.property(octets, (given) => {
        const text = ipText(Uint8Array.from(given));
        expect(text).toBe(ipaddr.fromByteArray(given).toString());
        expect([...(parseIp(text) ?? [])]).toEqual(given);
        expect([...(parseIp(text.toUpperCase()) ?? [])]).toEqual(given);
      }),
      { numRuns: 2000 },
    );
  });

  it('is read in every form of RFC 4291 section 2.2 as URLs read it', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        expect(textOf(text)).toBe(new URL(`http://[${text}]`).hostname.slice(1, -1));
      }),
      { numRuns: 2000 },
    );
  });

  it('is IPv4 where IPv6 maps it', () => {
    expect([...(parseUnmappedIp('::ffff:192.0.2.1') ?? [])]).toEqual([192, 0, 2, 1]);
    expect(parseUnmappedIp('::fffe:192.0.2.1')).toHaveLength(16);
    expect(parseUnmappedIp('192.0.2.1')).toHaveLength(4);
    expect(parseUnmappedIp('192.0.2')).toBeUndefined();
  });
});

describe('a prefix', () => {
  it.each([
    '1.2.3.4',
    '1.2.3.4/',
    '1.2.3.4/33',
    '::/129',
    '::1%lo/128',
    '1.2.3/24',
    '/0',
    'a/8',
    '1.2.3.4/-1',
    '1.2.3.4/8 ',
  ])('is not %j', (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });

  it('has the addresses that ipaddr.js says', () => {
    const families = fc.constantFrom(4, 16).chain((length) => {
      const octets = fc.array(fc.constantFrom(0, 1, 127, 128, 254, 255), { minLength: length, maxLength: length });
      return fc.tuple(octets, octets, fc.integer({ min: 0, max: 8 * length }));
    });
    fc.assert(
      fc.property(families, ([octets, other, bits]) => {
        const base = ipaddr.fromByteArray(octets) as ipaddr.IPv4;
        const prefix = parsePrefix(`${base}/${bits}`);
        if (prefix === undefined) throw new Error(`no prefix: ${base}/${bits}`);
        for (const address of [octets, other, octets.with(-1, 1)]) {
          const expected = (ipaddr.fromByteArray(address) as ipaddr.IPv4).match(base, bits);
          expect(isWithin(Uint8Array.from(address), prefix)).toBe(expected);
          expect(isWithinAt(Uint8Array.from([9, 9, ...address, 9]), 2, prefix)).toBe(expected);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('has no address of the other family, but those that are mapped', () => {
    expect(isIpWithin('::ffff:192.0.2.1', parsePrefixes('192.0.2.0/24'))).toBe(true);
    expect(isIpWithin('192.0.2.1', parsePrefixes('::/0'))).toBe(false);
    expect(isIpWithin('::1', parsePrefixes('0.0.0.0/0'))).toBe(false);
    expect(isIpWithin('localhost', parsePrefixes('0.0.0.0/0', '::/0'))).toBe(false);
  });
});

it.each([
  ['0.0.0.0', 'unspecified'],
  ['0.255.255.255', 'unspecified'],
  ['::', 'unspecified'],
  ['::ffff:0.0.0.0', 'unspecified'],
  ['127.255.255.255', 'loopback'],
  ['::1', 'loopback'],
  ['::ffff:7f00:1', 'loopback'],
  ['::1%lo', 'loopback'],
  ['1.0.0.0', 'neither'],
  ['128.0.0.0', 'neither'],
  ['::2', 'neither'],
])('%s is %s', (text, range) => {
  expect(isIpWithin(text, UNSPECIFIED)).toBe(range === 'unspecified');
  expect(isIpWithin(text, LOOPBACK)).toBe(range === 'loopback');
});
