import { describe, expect, it } from 'vitest';
import { EdeCode } from '../../src/dns/constants.ts';
import { relayedRecords, relayResponse } from '../../src/dns/relayed-response.ts';
import { recordsOf } from '../../src/dns/walk.ts';
import { answersOf, edeCodesOf, name, query, responseWire } from '../support/dns.ts';

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

  const SUBNET = '0008000700011800c00002';
  const STALE = '000f00020003';

  /** A response with an OPT that has these options, and with more records behind it. */
  function withOpt(options: string, after = ''): Buffer {
    const rdata = Buffer.from(options, 'hex');
    const opt = Buffer.from('0000290fa0000000000000', 'hex');
    opt.writeUInt16BE(rdata.length, 9);
    const theirs = responseWire(query('example.com', 'A'), { answers });
    const wire = Buffer.concat([theirs, opt, rdata, Buffer.from(after, 'hex')]);
    wire.writeUInt16BE(after === '' ? 1 : 2, 10);
    return wire;
  }

  const TEXT_BEHIND = '00001000010000000000020161';

  it.each([
    ['padding', `${STALE}000c0100${'00'.repeat(256)}`, ''],
    ['a client subnet', SUBNET + STALE, ''],
    ['a client subnet, and has records behind the OPT', SUBNET + STALE, TEXT_BEHIND],
  ])('loses %s, and keeps extended errors', (_, options, after) => {
    const theirs = withOpt(options, after);
    const relayed = relayResponse(query('example.com', 'A', { edns: { udpSize: 1232 } }), theirs);
    expect(relayed.length).toBeLessThan(70);
    expect(relayed.includes(Buffer.from(SUBNET, 'hex'))).toBe(false);
    expect(edeCodesOf(relayed)).toEqual([EdeCode.staleAnswer]);
    expect(answersOf(relayed)).toEqual(['example.com 60 A 192.0.2.1']);
  });

  it('keeps what stands before malformed options', () => {
    const relayed = relayResponse(query('example.com', 'A', { edns: { udpSize: 1232 } }), withOpt('000c0009'));
    expect(answersOf(relayed)).toEqual(['example.com 60 A 192.0.2.1']);
    expect(recordsOf(relayed)).toBeDefined();
  });

  it.each([
    ['nothing', ''],
    ['records', TEXT_BEHIND],
  ])('has its records where they were, with %s behind its OPT', (_, after) => {
    const theirs = withOpt(STALE, after);
    const records = recordsOf(theirs) ?? [];
    const kept = relayedRecords(records);
    expect(kept.map(({ type }) => type)).toEqual([1, 41]);
    const relayed = relayResponse(query('example.com', 'A'), theirs, { records });
    expect(relayed).toEqual(relayResponse(query('example.com', 'A'), theirs));
    expect(recordsOf(relayed)).toEqual(kept.slice(0, 1));
  });
});
