import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressItem } from '../../src/serviceentry/address.ts';

const textOf = (item: string): string | undefined => {
  const parsed = addressItem(item);
  return parsed && 'text' in parsed ? parsed.text : parsed?.kind;
};

describe('an item of spec.addresses', () => {
  it.each([
    ['192.0.2.1', 'address', '192.0.2.1'],
    ['192.0.2.1/32', 'address', '192.0.2.1'],
    ['2001:DB8:0:0::1', 'address', '2001:db8::1'],
    ['2001:db8::1/128', 'address', '2001:db8::1'],
    ['::ffff:192.0.2.1', 'address', '192.0.2.1'],
    ['::FFFF:c000:0201', 'address', '192.0.2.1'],
    ['::ffff:192.0.2.1/128', 'address', '192.0.2.1'],
    ['::192.0.2.1', 'address', '::c000:201'],
    ['64:ff9b::192.0.2.1', 'address', '64:ff9b::c000:201'],
    ['1:2:3:4:5:6:192.0.2.1', 'address', '1:2:3:4:5:6:c000:201'],
    ['1:2:3:4:5:6:7::', 'address', '1:2:3:4:5:6:7:0'],
    ['192.0.2.9/24', 'cidr', '192.0.2.0/24'],
    ['0.0.0.0/0', 'cidr', '0.0.0.0/0'],
    ['2001:db8::9/32', 'cidr', '2001:db8::/32'],
    ['::ffff:192.0.2.9/120', 'cidr', '192.0.2.0/24'],
    ['::/0', 'cidr', '::/0'],
  ])('%s is read as the %s %s', (item, kind, text) => {
    expect(addressItem(item)).toEqual({ kind, text });
  });

  it.each(['fe80::1%eth0', '::ffff:192.0.2.1%1', 'fe80::1%a%b'])('%s is an address of one link', (item) => {
    expect(addressItem(item)).toEqual({ kind: 'zoned' });
  });

  it.each([
    ...['', ' ', '1.2.3', '1.2.3.4.5', '01.2.3.4', '0x1.2.3.4', '16909060', '256.0.0.1', '1.2.3.4 ', '1.2.3.4%eth0'],
    ...[':', ':::', '::1::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2:3:4:5:6:7:8', '00001::', '[::1]', 'g::'],
    ...['::ffff:01.2.3.4', '::ffff:1.2.3', '::1.2.3.4:1', '1:2:3:4:5:6:7:1.2.3.4', '::1%', '%eth0'],
    ...['1.2.3.4/', '1.2.3.4/33', '1.2.3.4/-1', '1.2.3.4/08', '1.2.3.4/8/8', '::/129', '::1%eth0/64', '/8', '1.2.3/8'],
  ])('"%s" is nothing', (item) => {
    expect(addressItem(item)).toBeUndefined();
  });

  it('agrees with the operating system on what an address is', () => {
    const piece = fc.constantFrom(':', '::', '.', '0', '1', '01', '255', '256', 'ffff', 'abc', '1.2.3.4', 'g');
    const address = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.array(piece, { maxLength: 10 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(address, (text) => {
        expect(textOf(text) !== undefined).toBe(isIP(text) !== 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('has one canonical text, which is itself canonical', () => {
    const bits = fc.option(fc.nat(32), { nil: undefined });
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), bits, (text, prefix) => {
        const canonical = textOf(prefix === undefined ? text : `${text}/${prefix}`) ?? '';
        expect(canonical).not.toBe('');
        expect(textOf(canonical)).toBe(canonical);
        expect(textOf(canonical.toUpperCase())).toBe(canonical);
      }),
    );
  });
});
