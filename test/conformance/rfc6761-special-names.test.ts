import { expect, it } from 'vitest';
import { hostRecord } from '../support/answering.ts';
import { answersOf, authoritiesOf, queryWire, rcodeIn } from '../support/dns.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';

const HOSTS = [
  hostRecord('auto.internal', { vip: { ipv4: '240.240.3.7', ipv6: '2001:2::307' } }),
  hostRecord('hidden.internal', { vip: { ipv4: '240.240.3.8', ipv6: '2001:2::308' }, exportTo: ['elsewhere'] }),
];

overEveryCarrier('RFC 6761', HOSTS, (talk) => {
  it.each<[string, string, string, string[]]>([
    ['6.3', 'localhost', 'A', ['localhost 86400 A 127.0.0.1']],
    ['6.3', 'localhost', 'AAAA', ['localhost 86400 AAAA ::1']],
    ['6.3', 'any.thing.localhost', 'A', ['any.thing.localhost 86400 A 127.0.0.1']],
    ['6.3', 'localhost', 'MX', []],
    ['6.1', '7.3.240.240.in-addr.arpa', 'PTR', ['7.3.240.240.in-addr.arpa 300 PTR auto.internal']],
    ['6.1', '7.3.240.240.in-addr.arpa', 'A', []],
    ['6.1', '3.240.240.in-addr.arpa', 'PTR', []],
    ['RFC 9462 6.4', '_dns.resolver.arpa', 'SVCB', []],
  ])('section %s: %s %s is NOERROR, and nobody is asked', async (_section, qname, type, answers) => {
    for (const _ of ['first', 'from the cache']) {
      const wire = await talk.ask(queryWire(qname, type));
      expect([rcodeIn(wire), answersOf(wire)]).toEqual(['NOERROR', answers]);
      if (answers.length === 0) expect(authoritiesOf(wire)).toEqual([expect.stringContaining(' SOA ')]);
    }
    expect(talk.answering.forwarded).toEqual([]);
  });

  it.each(['invalid', 'any.thing.invalid', '9.3.240.240.in-addr.arpa', '8.3.240.240.in-addr.arpa'])(
    'section 6.4, 6.1: %s is NXDOMAIN, and nobody is asked',
    async (qname) => {
      expect(rcodeIn(await talk.ask(queryWire(qname, 'PTR')))).toBe('NXDOMAIN');
      expect(talk.answering.forwarded).toEqual([]);
    },
  );

  it('section 6.1: reverse names outside the prefixes are forwarded', async () => {
    await talk.ask(queryWire('1.2.0.192.in-addr.arpa', 'PTR'));
    expect(talk.answering.forwarded).toHaveLength(1);
  });
});
