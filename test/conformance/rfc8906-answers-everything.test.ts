import { expect, it } from 'vitest';
import { hostRecord } from '../support/answering.ts';
import { message, queryWire, rcodeIn } from '../support/dns.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';

const flagged = (at: number, bits: number, wire = queryWire('owned.internal', 'A', { edns: { udpSize: 1232 } })) => {
  const index = at < 0 ? wire.length + at : at;
  wire[index] = (wire[index] ?? 0) | bits;
  return wire;
};

/** RFC 8906 section 8: what servers are known to drop, and clients then wait for. */
overEveryCarrier('RFC 8906', [hostRecord('owned.internal')], (talk) => {
  it.each([
    ['8.1.1 a known name', queryWire('owned.internal')],
    ['8.1.2 an unknown type', queryWire('owned.internal', 'TYPE1000')],
    ['8.1.3.1 CD', queryWire('owned.internal', 'A', { cd: true })],
    ['8.1.3.1 AD', flagged(3, 0x20)],
    ['8.1.3.2 the last reserved flag', flagged(3, 0x40)],
    ['8.1.3.3 no recursion desired', queryWire('owned.internal', 'A', { rd: false })],
    ['8.2.1 EDNS', queryWire('owned.internal', 'A', { edns: { udpSize: 4096 } })],
    ['8.2.4 an unknown EDNS flag', flagged(-4, 0x40)],
    ['8.2.6 DO', queryWire('owned.internal', 'A', { edns: { udpSize: 4096, do: true } })],
    ['TC and AA, which say nothing in a query', flagged(2, 0x06)],
  ])('%s is answered without an error', async (_section, wire) => {
    expect(rcodeIn(await talk.ask(wire))).toBe('NOERROR');
  });

  it('8.1.3.2, 8.2.4: reserved flags are not copied into the response', async () => {
    expect(((await talk.ask(flagged(3, 0x40)))[3] ?? 0) & 0x40).toBe(0);
    const wire = await talk.ask(flagged(-4, 0x40));
    expect(wire.readUInt16BE(wire.length - 4)).toBe(0);
  });

  it('8.1.4: an unknown opcode is NOTIMP, with EDNS and without', async () => {
    for (const edns of [undefined, { udpSize: 1232 }]) {
      const asked = queryWire('owned.internal', 'A', edns ? { edns } : {});
      const wire = await talk.ask(flagged(2, 15 << 3, asked));
      expect([rcodeIn(wire), message(wire).edns !== undefined]).toEqual(['NOTIMP', edns !== undefined]);
    }
  });

  it('8.2.7: an unknown version of EDNS is BADVERS, also with unknown flags', async () => {
    for (const flags of [0, 0x40]) {
      const asked = flagged(-4, flags);
      expect(rcodeIn(await talk.ask(flagged(-5, 100, asked)))).toBe('BADVERS');
    }
  });
});
