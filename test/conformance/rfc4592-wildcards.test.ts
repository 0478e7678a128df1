import { expect, it } from 'vitest';
import { hostRecord } from '../support/answering.ts';
import { answersOf, authoritiesOf, queryWire, rcodeIn } from '../support/dns.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';

const at = (host: string, address: string) => hostRecord(host, { addresses: [address] });

const HOSTS = [
  at('*.wild.example', '192.0.2.1'),
  at('*.deep.wild.example', '192.0.2.2'),
  at('exact.deep.wild.example', '192.0.2.3'),
  at('a.gap.wild.example', '192.0.2.4'),
];

overEveryCarrier('RFC 4592', HOSTS, (talk) => {
  it.each([
    ['x.wild.example', '192.0.2.1'],
    ['x.y.z.wild.example', '192.0.2.1'],
    ['X.WILD.example', '192.0.2.1'],
    ['x.deep.wild.example', '192.0.2.2'],
    ['deep.wild.example', '192.0.2.1'],
    ['exact.deep.wild.example', '192.0.2.3'],
    ['_dmarc.wild.example', '192.0.2.1'],
    ['*.wild.example', '192.0.2.1'],
  ])(
    '%s is synthesized from the wildcard with the longest suffix, unless it is there itself',
    async (qname, address) => {
      const owner = qname.toLowerCase();
      expect(answersOf(await talk.ask(queryWire(qname)))).toEqual([`${owner} 30 A ${address}`]);
    },
  );

  it.each(['gap.wild.example', 'x.gap.wild.example'])(
    'unlike in a zone (section 2.2.2), %s is synthesized: hosts below it may be hidden from those who ask',
    async (qname) => {
      expect(answersOf(await talk.ask(queryWire(qname)))).toEqual([`${qname} 30 A 192.0.2.1`]);
    },
  );

  it('section 2.2.1: what has no data of a type is NODATA, with the SOA of the wildcard’s parent', async () => {
    for (const qname of ['x.wild.example', '_dmarc.wild.example', '_http._tcp.wild.example']) {
      const wire = await talk.ask(queryWire(qname, 'TXT'));
      expect([rcodeIn(wire), answersOf(wire)]).toEqual(['NOERROR', []]);
      expect(authoritiesOf(wire)).toEqual([expect.stringMatching(/^wild\.example 30 SOA /)]);
    }
    expect(talk.answering.forwarded).toEqual([]);
  });

  it('section 2.2: the parent of a wildcard is not below it', async () => {
    await talk.ask(queryWire('wild.example'));
    expect(talk.answering.forwarded).toHaveLength(1);
  });
});
