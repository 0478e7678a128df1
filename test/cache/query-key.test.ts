import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nameInKey, queryKey } from '../../src/cache/query-key.ts';
import { decodeQuery, encodeQuery } from '../../src/dns/query.ts';
import { name, type QueryOptions, queryWire } from '../support/dns.ts';
import { anyOctets, mutated, queryCase } from '../support/dns-arbitraries.ts';

const edns = { udpSize: 1232 };
const keyOf = (options: QueryOptions = {}, qname = 'a.example', type: string | number = 'A') =>
  queryKey(queryWire(qname, type, options));

describe('the key of a query', () => {
  it('is the same for another id, another case of the name, and another UDP size', () => {
    expect(keyOf({ id: 7 })).toBe(keyOf());
    expect(keyOf({ keepCase: true }, 'A.eXAMPLE')).toBe(keyOf());
    expect(keyOf({ edns: { udpSize: 512 } })).toBe(keyOf({ edns }));
    expect(keyOf({ clientSubnet: true })).toBe(keyOf({ edns }));
  });

  it('differs with everything that an answer depends on', () => {
    const ad = queryWire('a.example');
    ad.writeUInt8(0x20, 3);
    const keys = [
      keyOf(),
      queryKey(ad),
      keyOf({ rd: false }),
      keyOf({ cd: true }),
      keyOf({ edns }),
      keyOf({ edns: { ...edns, do: true } }),
      keyOf({ padded: true }),
      keyOf({}, 'a.example', 'AAAA'),
      keyOf({}, 'b.example'),
      keyOf({}, 'example'),
    ];
    expect(keys).not.toContain(undefined);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('folds ASCII letters only, and only those of the name', () => {
    expect(keyOf({}, '\\192.example')).not.toBe(keyOf({}, '\\224.example'));
    expect(keyOf({}, '\\091.example')).not.toBe(keyOf({}, '\\123.example'));
    expect(keyOf({}, 'a.example', 0x4141)).not.toBe(keyOf({}, 'a.example', 0x6161));
  });

  const changed = (at: number, octet: number, wire = queryWire('a.example', 'A', { edns })) => {
    wire[at < 0 ? wire.length + at : at] = octet;
    return wire;
  };
  it.each([
    ['a response', changed(2, 0x81)],
    ['another opcode', changed(2, 0x21)],
    ['an rcode', changed(3, 0x01)],
    ['no question', changed(5, 0)],
    ['two questions', changed(5, 2)],
    ['an answer record', changed(7, 1)],
    ['an authority record', changed(9, 1)],
    ['two additional records', changed(11, 2)],
    ['class CH', changed(26, 3)],
    ['an additional record that is no OPT', changed(29, 16)],
    ['EDNS version 1', changed(33, 1)],
    ['an OPT cut short', queryWire('a.example', 'A', { edns }).subarray(0, -1)],
    ['an option that does not fit', changed(-2, 9, queryWire('a.example', 'A', { padded: true }).subarray(0, -1))],
    ['octets after it', Buffer.concat([queryWire('a.example'), Buffer.of(0)])],
    ['a compressed name', changed(12, 0xc0)],
    ['no octets', Buffer.alloc(0)],
  ])('is none for %s', (_what, wire) => {
    expect(queryKey(wire)).toBeUndefined();
  });

  it('is there for every ordinary query, the longest name included', () => {
    const label = 'x'.repeat(63);
    const longest = name(`${label}.${label}.${label}.${'x'.repeat(61)}`);
    expect(queryKey(encodeQuery({ qname: longest, qtype: 1 }))).toHaveLength(1 + 255 + 4);
    fc.assert(fc.property(queryCase, ({ wire }) => queryKey(wire) !== undefined));
  });

  it('is there only for what the decoder takes, and equal only for equal questions', () => {
    fc.assert(
      fc.property(fc.oneof(mutated(queryCase.map(({ wire }) => wire)), anyOctets), (wire) => {
        const key = queryKey(wire);
        if (key === undefined) return;
        const decoded = decodeQuery(wire);
        if (!decoded.ok || !decoded.query.question) throw new Error('a key for what is no query');
        const { qname, qtype } = decoded.query.question;
        const { rd, ad, cd } = decoded.query;
        const flags = [rd, ad, cd].map((bit, index) => (bit ? 1 << index : 0)).reduce((sum, bit) => sum + bit);
        expect(key.charCodeAt(0) & 0x07).toBe(flags);
        expect(key.slice(1)).toBe(encodeQuery({ qname, qtype }).subarray(12).toString('latin1'));
      }),
      { numRuns: 3000 },
    );
  });

  it('still holds the name, also with a scope after it', () => {
    fc.assert(
      fc.property(queryCase, ({ wire, qname, qtype }) => {
        const key = queryKey(wire) ?? '';
        const expected = encodeQuery({ qname, qtype }).subarray(12, -4).toString('latin1');
        expect(nameInKey(key)).toBe(expected);
        expect(nameInKey(`${key}a scope`)).toBe(expected);
      }),
    );
  });
});
