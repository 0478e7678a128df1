import { expect, it } from 'vitest';
import { hostRecord } from '../support/answering.ts';
import { answersOf, authoritiesOf, name, queryWire, rcodeIn } from '../support/dns.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';

const HOSTS = [
  hostRecord('owned.internal'),
  hostRecord('owned.example.org', { vip: { ipv4: '240.240.0.1', ipv6: '2001:2::1' } }),
  hostRecord('deep.zone.internal'),
];

const upstreamSoa = {
  type: 'SOA',
  owner: name('example.org'),
  ttl: 3600,
  mname: name('ns.example.org'),
  rname: name('hostmaster.example.org'),
  serial: 1,
  refresh: 1,
  retry: 1,
  expire: 1,
  minimum: 900,
} as const;

overEveryCarrier('RFC 2308', HOSTS, (talk) => {
  it.each(['AAAA', 'TXT', 'MX', 'HTTPS', 'SVCB', 'NS', 'SOA', 'DS', 'TYPE65280'])(
    'section 2.2: %s of an owned name is NODATA with an SOA, and is not forwarded',
    async (type) => {
      for (const host of ['owned.internal', 'owned.example.org']) {
        const wire = await talk.ask(queryWire(host, type));
        expect([rcodeIn(wire), answersOf(wire)]).toEqual(['NOERROR', []]);
        expect(authoritiesOf(wire)).toEqual([expect.stringMatching(new RegExp(`^${host} 30 SOA .* 30$`))]);
      }
      expect(talk.answering.forwarded).toEqual([]);
    },
  );

  it('section 3: a name that nobody registered in a private zone is NXDOMAIN with the SOA of the zone', async () => {
    const { status, headers, body } = await talk.post(queryWire('nobody.internal'));
    expect([status, rcodeIn(body), headers['cache-control']]).toEqual([200, 'NXDOMAIN', 'max-age=30']);
    expect(authoritiesOf(body)).toEqual([expect.stringMatching(/^internal 30 SOA .* 30$/)]);
    expect(talk.answering.forwarded).toEqual([]);
  });

  it('RFC 8020: a name above registered ones exists', async () => {
    expect(rcodeIn(await talk.ask(queryWire('zone.internal')))).toBe('NOERROR');
  });

  it('section 5: a forwarded denial is kept for a minute at most, and says so to caches behind, counted down', async () => {
    talk.answering.upstream = () => ({ rcode: 3, authorities: [upstreamSoa] });
    const asked = queryWire('later.example.org');
    expect(rcodeIn(await talk.ask(asked))).toBe('NXDOMAIN');
    talk.answering.clock.now += 59_000;
    expect(authoritiesOf(await talk.ask(asked))).toEqual([expect.stringMatching(/^example\.org 1 SOA /)]);
    expect(talk.answering.forwarded).toHaveLength(1);
    talk.answering.clock.now += 1_000;
    await talk.ask(asked);
    expect(talk.answering.forwarded).toHaveLength(2);
  });

  it('section 5: a denial without an SOA is not kept', async () => {
    talk.answering.upstream = () => ({ rcode: 3 });
    for (const _ of ['first', 'second']) expect(rcodeIn(await talk.ask(queryWire('x.example.org')))).toBe('NXDOMAIN');
    expect(talk.answering.forwarded).toHaveLength(2);
  });

  it('section 7.1: a server failure is kept for 5 seconds', async () => {
    talk.answering.upstream = () => ({ rcode: 2 });
    const asked = queryWire('x.example.org');
    for (const _ of ['first', 'second']) {
      const { headers, body } = await talk.post(asked);
      expect([rcodeIn(body), headers['cache-control']]).toEqual(['SERVFAIL', 'no-store']);
    }
    expect(talk.answering.forwarded).toHaveLength(1);
    talk.answering.clock.now += 5_000;
    await talk.ask(asked);
    expect(talk.answering.forwarded).toHaveLength(2);
  });

  it('asked first, registered later: the answer is there as soon as decisions end', async () => {
    talk.answering.upstream = () => ({ rcode: 3, authorities: [upstreamSoa] });
    const asked = queryWire('later.example.org');
    expect(rcodeIn(await talk.ask(asked))).toBe('NXDOMAIN');
    talk.answering.hosts.set('later.example.org', hostRecord('later.example.org'));
    talk.answering.clock.now += 5_000;
    expect(answersOf(await talk.ask(asked))).toHaveLength(2);
  });
});
