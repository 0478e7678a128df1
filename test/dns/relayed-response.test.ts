import { describe, expect, it } from 'vitest';
import { relayResponse } from '../../src/dns/relayed-response.ts';
import { answersOf, name, query, responseWire } from '../support/dns.ts';

const answers = [{ owner: name('example.com'), ttl: 60, type: 'A', address: '192.0.2.1' }] as const;

describe("somebody else's response", () => {
  it.each([
    ['without an OPT', {}],
    ['with one', { edns: { udpSize: 1232 } }],
  ])('gets id, RD, CD and the case of the name of a query %s', (_, more) => {
    const theirs = responseWire(query('example.com', 'A'), { answers });
    const before = Buffer.from(theirs);
    const asked = query('ExAmple.com', 'A', { id: 0xabcd, keepCase: true, cd: true, ...more });
    const relayed = relayResponse(asked, theirs);
    expect(relayed.readUInt16BE(0)).toBe(0xabcd);
    expect(relayed[3]).toBe(0x90);
    expect(relayed.subarray(12, 12 + 17)).toEqual(asked.question?.wire);
    expect(answersOf(relayed)).toEqual(answersOf(theirs));
    expect(theirs).toEqual(before);
  });
});
