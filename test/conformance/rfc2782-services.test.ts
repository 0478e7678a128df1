import { expect, it } from 'vitest';
import { hostRecord } from '../support/answering.ts';
import { answersOf, queryWire, rcodeIn } from '../support/dns.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';

const ports = [
  { name: 'http', number: 80, protocol: 'HTTP' },
  { name: 'dns', number: 53, protocol: 'UDP' },
] as const;
const VIP = { ipv4: '240.240.0.1', ipv6: '2001:2::1' };

overEveryCarrier('RFC 2782', [hostRecord('svc.internal', { vip: VIP, ports })], (talk) => {
  it.each([
    ['_http._tcp.svc.internal', ['_http._tcp.svc.internal 300 SRV 0 100 80 svc.internal']],
    ['_HTTP._tcp.SVC.internal', ['_http._tcp.svc.internal 300 SRV 0 100 80 svc.internal']],
    ['_dns._udp.svc.internal', ['_dns._udp.svc.internal 300 SRV 0 100 53 svc.internal']],
    ['_dns._tcp.svc.internal', []],
    ['_ftp._tcp.svc.internal', []],
    ['_tcp.svc.internal', []],
    ['svc.internal', []],
  ])('SRV %s', async (qname, expected) => {
    const wire = await talk.ask(queryWire(qname, 'SRV'));
    expect([rcodeIn(wire), answersOf(wire)]).toEqual(['NOERROR', expected]);
    expect(talk.answering.forwarded).toEqual([]);
  });

  it('another type of a service is NODATA, and a service of what is not registered does not exist', async () => {
    const wire = await talk.ask(queryWire('_http._tcp.svc.internal', 'A'));
    expect([rcodeIn(wire), answersOf(wire)]).toEqual(['NOERROR', []]);
    expect(rcodeIn(await talk.ask(queryWire('_http._tcp.nobody.internal', 'SRV')))).toBe('NXDOMAIN');
  });

  it('RFC 1035 section 3.5: the name of a live VIP is its host, and of the others there is none', async () => {
    const reverse = '1.0.240.240.in-addr.arpa';
    expect(answersOf(await talk.ask(queryWire(reverse, 'PTR')))).toEqual([`${reverse} 300 PTR svc.internal`]);
    expect(rcodeIn(await talk.ask(queryWire('2.0.240.240.in-addr.arpa', 'PTR')))).toBe('NXDOMAIN');
    expect(talk.answering.forwarded).toEqual([]);
  });
});
