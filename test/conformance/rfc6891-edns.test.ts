import { expect, it } from 'vitest';
import { hostRecord } from '../support/answering.ts';
import { answersOf, message, queryWire, rcodeIn, responseWire } from '../support/dns.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';

const NAMES = ['owned.internal', 'nobody.internal', 'www.example.org'];
const edns = { udpSize: 4096 };
const OPT = Buffer.from('0000291000000000000000', 'hex');

const withOptions = (qname: string, options: Buffer) => {
  const wire = queryWire(qname, 'A', { edns });
  wire.writeUInt16BE(options.length, wire.length - 2);
  return Buffer.concat([wire, options]);
};

overEveryCarrier('RFC 6891', [hostRecord('owned.internal')], (talk) => {
  it.each(NAMES)(
    'section 6.1.1: %s has an OPT in its response if the query has one, whatever the upstream sends',
    async (qname) => {
      // An upstream that does it the wrong way round.
      talk.answering.upstream = (query) => {
        const bare = Buffer.from(query.wire.subarray(0, 12 + (query.question?.wire.length ?? 0)));
        bare[2] = 0x81;
        bare.writeUInt16BE(query.edns ? 0 : 1, 10);
        return query.edns ? bare : Buffer.concat([bare, OPT]);
      };
      for (const _ of ['first', 'second']) {
        expect(message(await talk.ask(queryWire(qname))).edns).toBeUndefined();
        expect(message(await talk.ask(queryWire(qname, 'A', { edns }))).edns).toMatchObject({
          version: 0,
          udpSize: 1232,
        });
      }
    },
  );

  it.each(NAMES)('section 6.1.4: DO of a query for %s is echoed', async (qname) => {
    for (const dnssecOk of [true, false, true]) {
      const asked = queryWire(qname, 'A', { edns: { ...edns, do: dnssecOk } });
      expect(message(await talk.ask(asked)).edns?.do).toBe(dnssecOk);
    }
  });

  it('section 6.1.3: a version above 0 is BADVERS, with the version that is spoken', async () => {
    for (const version of [1, 255]) {
      const asked = queryWire('owned.internal', 'A', { edns });
      asked[asked.length - 5] = version;
      const wire = await talk.ask(asked);
      expect([rcodeIn(wire), message(wire).edns?.version]).toEqual(['BADVERS', 0]);
    }
  });

  it('section 6.1.1: two OPTs are FORMERR', async () => {
    const asked = Buffer.concat([queryWire('owned.internal', 'A', { edns }), OPT]);
    asked[11] = 2;
    expect(rcodeIn(await talk.ask(asked))).toBe('FORMERR');
  });

  it('section 6.1.2: unknown options are ignored', async () => {
    const wire = await talk.ask(
      withOptions('owned.internal', Buffer.from('fde9000411223344000a0008aabbccddeeff0011', 'hex')),
    );
    expect(answersOf(wire)).toHaveLength(2);
    expect(message(wire).edns).toBeDefined();
  });

  it('an option that does not fit is no query', async () => {
    const { status } = await talk.post(withOptions('owned.internal', Buffer.from('fde9000811', 'hex')));
    expect(status).toBe(400);
  });

  it('RFC 7871 section 7.5: a client subnet comes back from nobody', async () => {
    talk.answering.upstream = (query) => {
      const wire = responseWire(query, {});
      const option = Buffer.from('0008000700011800c00002', 'hex');
      wire.writeUInt16BE(option.length, wire.length - 2);
      return Buffer.concat([wire, option]);
    };
    const wire = await talk.ask(queryWire('www.example.org', 'A', { clientSubnet: true }));
    expect(wire.includes(Buffer.of(0, 8, 0, 7))).toBe(false);
  });

  it('additional records after the OPT of an upstream go with it, those before it stay', async () => {
    const glue = Buffer.from('c00c0001000100000e100004c0000207', 'hex');
    talk.answering.upstream = (query) => {
      const wire = responseWire(query, {});
      const opt = wire.subarray(-OPT.length);
      const response = Buffer.concat([wire.subarray(0, -OPT.length), glue, opt, glue]);
      response[11] = 3;
      return response;
    };
    const { additionals, edns: opt } = message(await talk.ask(queryWire('www.example.org', 'A', { edns })));
    expect([additionals.length, opt?.udpSize]).toEqual([1, 1232]);
  });
});
