import { describe, expect, it } from 'vitest';
import { EdeCode } from '../../src/dns/constants.ts';
import { acceptResponse } from '../../src/forward/incoming.ts';
import { answersOf, edeCodesOf, name, query, responseWire } from '../support/dns.ts';

const asked = query('Example.com', 'A', { edns: { udpSize: 1232 }, padded: true, keepCase: true });
const { question } = asked;
if (question === undefined) throw new Error('a query without a question');

const answers = [{ owner: name('example.com'), ttl: 60, type: 'A', address: '192.0.2.1' }] as const;
const SUBNET = Buffer.from('0008000700011800c00002', 'hex');
const OPT = Buffer.from('0000290fa000000000', 'hex');

/** A response without an OPT of its own, with one additional record. */
function withAdditional(record: Buffer): Buffer {
  const wire = Buffer.concat([responseWire(query('example.com', 'A'), { answers }), record]);
  wire.writeUInt16BE(1, 10);
  return wire;
}

function optWith(...options: Buffer[]): Buffer {
  const rdata = Buffer.concat(options);
  return Buffer.concat([OPT, Buffer.of(rdata.length >> 8, rdata.length & 0xff), rdata]);
}

describe('acceptResponse', () => {
  it('keeps the octets of a response without an OPT', () => {
    const body = responseWire(query('example.com', 'A'), { answers });
    expect(acceptResponse(body, question)).toEqual(body);
  });

  it('removes padding and keeps the other options', () => {
    const padded = responseWire(asked, { answers, ede: { code: EdeCode.staleAnswer } });
    expect(padded.length % 468).toBe(0);
    const wire = acceptResponse(padded, question) ?? Buffer.alloc(0);
    expect(wire.length).toBeLessThan(100);
    expect(edeCodesOf(wire)).toEqual([EdeCode.staleAnswer]);
    expect(answersOf(wire)).toEqual(['example.com 60 A 192.0.2.1']);
  });

  it('removes a client subnet', () => {
    expect(acceptResponse(withAdditional(optWith(SUBNET)), question)).toEqual(withAdditional(optWith()));
  });

  it('leaves malformed options alone', () => {
    const body = withAdditional(optWith(Buffer.from('000c0009', 'hex')));
    expect(acceptResponse(body, question)).toEqual(body);
  });

  it('leaves an OPT alone that other records follow', () => {
    const after = Buffer.from('00001000010000000000020161', 'hex');
    const body = Buffer.concat([withAdditional(optWith(SUBNET)), after]);
    body.writeUInt16BE(2, 10);
    expect(acceptResponse(body, question)).toEqual(body);
  });

  it.each([
    ['another name', responseWire(query('example.net', 'A'))],
    ['another type', responseWire(query('example.com', 'AAAA'))],
    ['a query', asked.wire],
    ['nothing', Buffer.alloc(0)],
    ['a cut message', responseWire(asked, { answers }).subarray(0, -1)],
    ['octets after the message', Buffer.concat([responseWire(asked, { answers }), Buffer.of(0)])],
  ])('rejects %s', (_, body) => {
    expect(acceptResponse(body, question)).toBeUndefined();
  });
});
