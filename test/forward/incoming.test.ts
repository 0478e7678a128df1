import { describe, expect, it } from 'vitest';
import { recordsOf } from '../../src/dns/walk.ts';
import { acceptResponse } from '../../src/forward/incoming.ts';
import { name, query, responseWire } from '../support/dns.ts';

const asked = query('Example.com', 'A', { edns: { udpSize: 1232 }, padded: true, keepCase: true });
const { question } = asked;
if (question === undefined) throw new Error('a query without a question');

const answers = [{ owner: name('example.com'), ttl: 60, type: 'A', address: '192.0.2.1' }] as const;

describe('acceptResponse', () => {
  it.each([
    ['a response without an OPT', responseWire(query('example.com', 'A'), { answers })],
    ['a padded one', responseWire(asked, { answers })],
  ])('takes %s apart', (_, body) => {
    expect(acceptResponse(body, question)).toEqual(recordsOf(body));
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
