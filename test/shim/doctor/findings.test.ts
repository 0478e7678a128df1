import { describe, expect, it } from 'vitest';
import { findingsOf } from '../../../src/shim/doctor/findings.ts';
import type { EndpointFacts, HostFacts, ResolvedFacts } from '../../../src/shim/doctor/host-facts.ts';

const URL = 'https://doh.example/dns-query';

const SETTINGS: HostFacts['settings'] = {
  capture: 'resolver',
  listen: [{ address: '127.0.0.1', port: 53 }],
  bridges: [],
  routes: [],
  fallback: 'system',
  vips: 'auto',
  endpoints: [URL],
  bootstrap: [],
};

const HEALTHY: HostFacts = {
  settings: SETTINGS,
  answers: true,
  captured: true,
  nameservers: ['127.0.0.1'],
  original: { servers: ['192.0.2.1'], search: [] },
  looping: [],
  resolved: undefined,
  nssResolve: false,
  nft: true,
  vips: { kind: 'on', reason: '' },
  dockerBridges: [],
  routes: [{ destination: '10.0.0.0/24', device: 'eth0' }],
  mesh: { hosts: ['auto.internal'], zones: ['internal', 'cluster.local'], pools: ['240.240.0.0/16', '2001:2::/48'] },
  endpoints: [{ url: URL, outcome: { kind: 'answered' } }],
  clock: { skewMs: 400, synchronised: true },
};
const RESOLVED: ResolvedFacts = { dnssec: 'no', globalServers: ['127.0.0.1:15053'], links: [], hasDropIn: true };

type Some = Partial<Omit<HostFacts, 'settings'>> & { readonly settings?: Partial<HostFacts['settings']> };
const host = ({ settings, ...facts }: Some = {}): HostFacts => ({
  ...HEALTHY,
  ...facts,
  settings: { ...SETTINGS, ...settings },
});
const saying = (outcome: EndpointFacts['outcome']): Some => ({ endpoints: [{ url: URL, outcome }] });
const unreachable = (code: string): Some => saying({ kind: 'unreachable', code, message: 'why' });
const nft: Some['settings'] = { capture: 'nft', listen: [{ address: '127.0.0.1', port: 15053 }] };

describe('findingsOf', () => {
  it.each<[string, Some]>([
    ['a healthy host', {}],
    ['one behind systemd-resolved', { resolved: RESOLVED, nameservers: ['127.0.0.53'] }],
    ['one captured by nft, whose own resolver is another', { settings: nft, nameservers: ['192.0.2.1'] }],
    [
      'one that captures nothing',
      { settings: { capture: 'none' }, captured: false, looping: ['127.0.0.1'], dockerBridges: ['docker0'] },
    ],
    [
      'links of systemd-resolved with other domains',
      { resolved: { ...RESOLVED, links: [{ name: 'tun0', domains: ['~.', '~corp.example'] }] } },
    ],
    [
      'Docker that nft serves',
      { settings: { ...nft, bridges: ['docker0', 'br-*'] }, dockerBridges: ['docker0', 'br-0123456789ab'] },
    ],
    ['a host of Kubernetes', { mesh: { ...HEALTHY.mesh, hosts: ['a.b.svc.cluster.local'] } }],
    [
      'the default route of a VPN, in halves',
      { routes: ['0.0.0.0/1', '128.0.0.0/1', '2000::/3'].map((destination) => ({ destination, device: 'tun0' })) },
    ],
    ['no nft, and no virtual IPs', { nft: false, settings: { vips: 'off' } }],
  ])('finds nothing on %s', (_, facts) => {
    expect(findingsOf(host(facts))).toEqual([]);
  });

  it.each<[id: string, Some, says: RegExp]>([
    ['loop', { looping: ['127.0.0.2'] }, /127\.0\.0\.2/],
    ['shim-silent', { answers: false, captured: false }, /127\.0\.0\.1 port 53/],
    ['not-captured', { captured: false, nameservers: ['192.0.2.7'] }, /192\.0\.2\.7/],
    ['second-resolver', { nameservers: ['127.0.0.1', '192.0.2.7'] }, /resolv\.conf names 192\.0\.2\.7/],
    [
      'second-resolver',
      { resolved: { ...RESOLVED, globalServers: ['127.0.0.1:15053', '192.0.2.7#dns.example'] } },
      /systemd-resolved names 192/,
    ],
    ['no-original-resolver', { original: { servers: [], search: [] } }, /"system"/],
    [
      'resolved-domain',
      { resolved: { ...RESOLVED, links: [{ name: 'eth0', domains: ['internal'] }] } },
      /link eth0 .*"internal"/,
    ],
    [
      'resolved-domain',
      {
        resolved: { ...RESOLVED, links: [{ name: 'tun0', domains: ['~shop.corp'] }] },
        mesh: { ...HEALTHY.mesh, hosts: ['*.db.shop.corp'] },
      },
      /shop\.corp/,
    ],
    ['nss-resolve', { settings: nft, nssResolve: true, resolved: { ...RESOLVED, hasDropIn: false } }, /nsswitch/],
    ['docker', { dockerBridges: ['docker0'] }, /loopback/],
    ['docker', { settings: nft, dockerBridges: ['docker0'] }, /docker0/],
    ['dnssec', { resolved: { ...RESOLVED, dnssec: 'allow-downgrade' } }, /DNSSEC=allow-downgrade/],
    ['local-names', { mesh: { ...HEALTHY.mesh, hosts: ['printer.local'] } }, /printer\.local/],
    ['single-label', { mesh: { ...HEALTHY.mesh, hosts: ['db'] } }, /"db"/],
    ['nft-missing', { nft: false }, /not with virtual IPs/],
    ['nft-missing', { nft: false, settings: nft }, /nothing is captured/],
    ['vips-failed', { vips: { kind: 'failed', reason: 'out of memory' } }, /out of memory/],
    [
      'vip-route',
      { routes: [{ destination: '240.0.0.0/4', device: 'tun0' }] },
      /240\.0\.0\.0\/4 by tun0, but does not reach that part/,
    ],
    ['vip-route', { routes: [{ destination: '2001:2:0:5::/64', device: 'eth1' }] }, /2001:2::\/48/],
    ['clock-unsynchronised', { clock: { skewMs: undefined, synchronised: false } }, /clock/],
    ['clock-wrong', { clock: { skewMs: -3_600_000, synchronised: undefined } }, /3600 s behind/],
    ['clock-wrong', { clock: { skewMs: 120_000, synchronised: true } }, /120 s ahead/],
    ['endpoint-missing', { settings: { endpoints: [] }, endpoints: [] }, /no endpoint/],
    ['endpoint-unauthorised', saying({ kind: 'status', status: 401 }), /401/],
    ['endpoint-unauthorised', saying({ kind: 'status', status: 404 }), /404/],
    ['endpoint-failing', saying({ kind: 'status', status: 503 }), /503/],
    ['endpoint-not-doh', saying({ kind: 'notDns' }), /not with DNS/],
    ['endpoint-certificate', unreachable('CERT_HAS_EXPIRED'), /certificate/],
    ['endpoint-name', unreachable('ENOTFOUND'), /does not resolve/],
    ['endpoint-unreachable', unreachable('ECONNREFUSED'), /cannot be reached/],
  ])('finds %s alone, and says what to do: %j', (id, facts, says) => {
    const findings = findingsOf(host(facts));
    expect(findings.map((finding) => finding.id)).toEqual([id]);
    expect(findings[0]?.what).toMatch(says);
    expect(findings[0]?.remedy.length).toBeGreaterThan(20);
  });

  it.each([
    ['240.240.0.0/16', 'problem'],
    ['240.240.7.0/24', 'problem'],
    ['240.0.0.0/4', 'warning'],
  ])('takes a route to %s beside the pool 240.240.0.0/16 for a %s', (destination, level) => {
    const findings = findingsOf(host({ routes: [{ destination, device: 'eth1' }] }));
    expect(findings).toMatchObject([{ id: 'vip-route', level }]);
  });
});
