import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DnsQuery } from '../../src/dns/query.ts';
import { encodeOutgoing, outgoingKey } from '../../src/forward/outgoing.ts';
import { decoded, type QueryOptions, query } from '../support/dns.ts';

const outgoing = (from: DnsQuery): Buffer => {
  if (from.question === undefined) throw new Error('a query without a question');
  return encodeOutgoing(from, from.question);
};

const keyOf = (qname: string, type: string, options: QueryOptions = {}): string => {
  const { question, ...rest } = query(qname, type, options);
  if (question === undefined) throw new Error('a query without a question');
  return outgoingKey(rest, question);
};

describe('encodeOutgoing', () => {
  it('asks the same question in the same case with id 0', () => {
    const from = query('ExAmPle.COM', 'TXT', { id: 0x1234, keepCase: true });
    const { id, question } = decoded(outgoing(from));
    expect(id).toBe(0);
    expect(question).toEqual(from.question);
  });

  it('is no longer than header and question when the query has no OPT', () => {
    expect(outgoing(query('example.com', 'A')).length).toBe(12 + 13 + 4);
  });

  it.each([{ rd: true }, { rd: false }, { cd: true }, { cd: false }])('keeps $rd $cd (RD, CD)', (flags) => {
    expect(decoded(outgoing(query('example.com', 'A', flags)))).toMatchObject(flags);
  });

  it('keeps AD', () => {
    const { wire } = query('example.com', 'A');
    wire[3] = 0x20;
    expect(decoded(outgoing(decoded(wire))).ad).toBe(true);
  });

  it.each([true, false])('keeps DO: %s', (dnssecOk) => {
    const from = query('example.com', 'A', { edns: { udpSize: 512, do: dnssecOk } });
    expect(decoded(outgoing(from)).edns).toMatchObject({ do: dnssecOk, version: 0 });
  });

  it('leaves out the client subnet', () => {
    const from = query('example.com', 'A', { clientSubnet: true });
    expect(from.edns?.hasClientSubnet).toBe(true);
    expect(decoded(outgoing(from)).edns).toMatchObject({ hasClientSubnet: false, padded: true });
  });

  it('pads every query with an OPT to a multiple of 128 octets', () => {
    const label = fc.integer({ min: 1, max: 63 }).map((length) => 'x'.repeat(length));
    fc.assert(
      fc.property(fc.array(label, { maxLength: 3 }), fc.boolean(), (labels, padded) => {
        const from = query(labels.join('.') || '.', 'A', { edns: { udpSize: 1232 }, padded });
        const wire = outgoing(from);
        expect(wire.length % 128).toBe(0);
        expect(wire.length).toBeLessThanOrEqual(384);
        expect(decoded(wire).edns?.padded).toBe(true);
      }),
    );
  });
});

describe('outgoingKey', () => {
  it('does not depend on id, case, padding or client subnet', () => {
    const options = { edns: { udpSize: 1232 } };
    const key = keyOf('example.com', 'A', options);
    expect(keyOf('ExAmPle.com', 'A', { ...options, id: 7, keepCase: true })).toBe(key);
    expect(keyOf('example.com', 'A', { ...options, padded: true, clientSubnet: true })).toBe(key);
  });

  it('tells apart everything an upstream may answer differently', () => {
    const keys = [
      keyOf('example.com', 'A'),
      keyOf('example.net', 'A'),
      // 65 and 97 are the same letter in two cases.
      keyOf('example.com', 'TYPE65'),
      keyOf('example.com', 'TYPE97'),
      keyOf('example.com', 'A', { rd: false }),
      keyOf('example.com', 'A', { cd: true }),
      keyOf('example.com', 'A', { edns: { udpSize: 1232 } }),
      keyOf('example.com', 'A', { edns: { udpSize: 1232, do: true } }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });
});
