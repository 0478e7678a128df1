import { describe, expect, it } from 'vitest';
import type { HostClaim } from '../../src/serviceentry/claim.ts';
import { claimsOf } from '../../src/serviceentry/claims.ts';
import { validateServiceEntry } from '../../src/serviceentry/validate.ts';
import { manifestOf } from './entry.ts';

function claimsFor(spec: Record<string, unknown>, metadata: Record<string, unknown> = {}): HostClaim[] {
  const result = validateServiceEntry(manifestOf(spec, { creationTimestamp: '2026-01-02T03:04:05Z', ...metadata }));
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return claimsOf(result.entry);
}

describe('the claims of an entry', () => {
  it('say what an answer needs, and nothing else', () => {
    const spec = {
      hosts: ['DB.Example.com.'],
      resolution: 'STATIC',
      addresses: ['192.0.2.1/32', '::ffff:192.0.2.1', '2001:DB8::0:1', '198.51.100.9/24'],
      ports: [
        { name: 'pg', number: 5432, protocol: 'tcp', targetPort: 6432 },
        { name: 'any', number: 1 },
      ],
      endpoints: [{ address: '10.0.0.1', labels: { app: 'db' } }],
      location: 'MESH_EXTERNAL',
      exportTo: ['.', 'ops'],
    };
    expect(claimsFor(spec, { annotations: { 'meshdoh.dev/ttl': '60' } })).toEqual([
      {
        host: 'db.example.com',
        namespace: 'shop',
        entry: 'external',
        exportTo: ['.', 'ops'],
        resolution: 'STATIC',
        addresses: ['192.0.2.1', '2001:db8::1'],
        cidrs: ['198.51.100.0/24'],
        endpoints: ['10.0.0.1'],
        ports: [
          { name: 'pg', number: 5432, protocol: 'TCP', targetPort: 6432 },
          { name: 'any', number: 1, protocol: '' },
        ],
        wantsVip: false,
        ttl: 60,
        createdAt: '2026-01-02T03:04:05Z',
      },
    ]);
  });

  it('are as bare as a bare entry', () => {
    expect(claimsFor({ resolution: undefined })).toEqual([
      {
        host: 'api.example.com',
        namespace: 'shop',
        entry: 'external',
        exportTo: [],
        resolution: 'NONE',
        addresses: [],
        cidrs: [],
        endpoints: [],
        ports: [],
        wantsVip: false,
        createdAt: '2026-01-02T03:04:05Z',
      },
    ]);
  });

  it('are one for each distinct host, in the order of the entry', () => {
    const hosts = ['b.example', 'A.example', 'a.example.', '*.example'];
    expect(claimsFor({ hosts, resolution: 'STATIC' }).map(({ host }) => host)).toEqual([
      'b.example',
      'a.example',
      '*.example',
    ]);
  });

  it('leave out addresses that no DNS answer can carry, which still rule out a VIP', () => {
    const [claim] = claimsFor({ resolution: 'STATIC', addresses: ['fe80::1%eth0'] });
    expect(claim).toMatchObject({ addresses: [], cidrs: [], wantsVip: false });
  });

  it('make an entry that is not stored yet the youngest', () => {
    const [claim] = claimsFor({}, { creationTimestamp: undefined });
    expect((claim?.createdAt ?? '') > '2100').toBe(true);
  });

  it.each([
    ['IPs', [{ address: '192.0.2.2' }, { address: '2001:DB8::1' }], ['192.0.2.2', '2001:db8::1']],
    ['each IP once', [{ address: '192.0.2.2' }, { address: '::ffff:192.0.2.2' }], ['192.0.2.2']],
    ['those with a weight', [{ address: '192.0.2.2', weight: 7 }], ['192.0.2.2']],
    ['not those with weight 0', [{ address: '192.0.2.2', weight: 0 }, { address: '192.0.2.3' }], ['192.0.2.3']],
    ['no unix sockets', [{ address: 'unix:///run/a.sock' }], []],
    ['no endpoints of a network only', [{ network: 'vpc-1' }], []],
    ['no addresses of one link', [{ address: 'fe80::1%eth0' }], []],
  ])('of STATIC endpoints keep %s', (_, endpoints, kept) => {
    const ports = [{ name: 'p', number: 1 }];
    expect(claimsFor({ resolution: 'STATIC', endpoints, ports })[0]?.endpoints).toEqual(kept);
  });

  it('keep no endpoints of other resolutions', () => {
    expect(claimsFor({ resolution: 'DNS', endpoints: [{ address: '192.0.2.2' }] })[0]?.endpoints).toEqual([]);
  });
});

describe('a host wants a VIP', () => {
  const label = (value: string) => ({ labels: { 'networking.istio.io/enable-autoallocate-ip': value } });

  it.each([
    ['STATIC', { resolution: 'STATIC' }, {}, true],
    ['STATIC with endpoints', { resolution: 'STATIC', endpoints: [{ address: '192.0.2.2' }] }, {}, true],
    ['DNS', { resolution: 'DNS' }, {}, true],
    ['DNS_ROUND_ROBIN', { resolution: 'DNS_ROUND_ROBIN' }, {}, true],
    ['DYNAMIC_DNS', { resolution: 'DYNAMIC_DNS', hosts: ['*.example.com'] }, {}, true],
    ['DYNAMIC_DNS of a partial wildcard', { resolution: 'DYNAMIC_DNS', hosts: ['*a.example.com'] }, {}, false],
    ['NONE', { resolution: 'NONE' }, {}, false],
    ['no resolution', { resolution: undefined }, {}, false],
    ['an address', { addresses: ['192.0.2.1'] }, {}, false],
    ['a CIDR', { resolution: 'STATIC', addresses: ['192.0.2.0/24'] }, {}, false],
    ['an empty list of addresses', { addresses: [] }, {}, true],
    ['the label "false"', {}, label('false'), false],
    ['the label "FaLsE"', {}, label('FaLsE'), false],
    ['the label "true"', {}, label('true'), true],
    ['another label value', {}, label('no'), true],
    ['a wildcard of STATIC', { resolution: 'STATIC', hosts: ['*.example.com'] }, {}, false],
    ['a wildcard of DNS', { hosts: ['*.example.com'], endpoints: [{ address: 'a.example' }] }, {}, false],
  ])('with %s: see the table', (_, spec, metadata, wanted) => {
    expect(claimsFor(spec, metadata).map(({ wantsVip }) => wantsVip)).toEqual([wanted]);
  });

  it('even beside a wildcard host that does not', () => {
    const claims = claimsFor({ resolution: 'STATIC', hosts: ['*.example.com', 'a.example.com'] });
    expect(claims.map(({ wantsVip }) => wantsVip)).toEqual([false, true]);
  });
});
