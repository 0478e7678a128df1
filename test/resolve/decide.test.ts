import { describe, expect, it } from 'vitest';
import type { DnsQuery } from '../../src/dns/query.ts';
import type { Forwarded, Forwarder } from '../../src/forward/forwarder.ts';
import { createResolver } from '../../src/resolve/resolver.ts';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import type { View } from '../../src/table/view.ts';
import { answersOf, authoritiesOf, edeCodesOf, message, name, query, rcodeIn, responseWire } from '../support/dns.ts';
import { DEFAULT_VIEW, openTestRegistry, serviceEntry, type TestRegistry } from '../support/registry.ts';

const SETTINGS = {
  ttl: { vip: 300, owned: 30, negative: 30 },
  privateZones: [name('cluster.local'), name('internal')],
};

/** A forwarder that answers `192.0.2.80` for what a test expects to be forwarded, and throws otherwise. */
function forwarderFor(expected: string | undefined, routes: readonly string[] = []): Forwarder {
  return {
    forward: async (asked: DnsQuery): Promise<Forwarded> => {
      const qname = asked.question?.qname;
      if (qname !== expected) throw new Error(`forwarded ${qname}, which is not for anybody outside`);
      const answers = [{ type: 'A', owner: name(qname ?? ''), ttl: 60, address: '192.0.2.80' }] as const;
      return { ok: true, wire: responseWire(asked, { answers }), upstream: 'https://upstream.example', age: 0 };
    },
    upstreamsFor: () => [],
    hasRouteFor: (asked) => routes.some((route) => asked === route || asked.endsWith(`.${route}`)),
    close: () => Promise.resolve(),
  };
}

interface Asked {
  readonly view?: Partial<View>;
  readonly forwards?: boolean;
  readonly routes?: readonly string[];
}

async function ask(registry: TestRegistry, qname: string, type: string | number = 'A', asked: Asked = {}) {
  const forwarder = forwarderFor(asked.forwards ? qname.toLowerCase() : undefined, asked.routes);
  const resolver = createResolver(SETTINGS, { reader: registry.reader, forwarder, random: () => 0 });
  const view = { ...DEFAULT_VIEW, ...asked.view };
  const edns = { udpSize: 1232 };
  const { wire } = await resolver.resolve(
    query(qname, type, { edns, keepCase: true }),
    view,
    AbortSignal.timeout(5000),
  );
  return wire;
}

async function registryWith(...entries: ServiceEntry[]): Promise<TestRegistry> {
  const registry = await openTestRegistry();
  for (const entry of entries) {
    const outcome = await registry.apply(entry);
    if (outcome.kind === 'rejected') throw new Error(outcome.message);
  }
  return registry;
}

const STATIC = { resolution: 'STATIC', ports: [{ name: 'tcp', number: 9000, protocol: 'TCP' }] } as const;

describe('what a host answers', () => {
  const endpoints = [{ address: '192.0.2.1' }, { address: '192.0.2.2', weight: 0 }, { address: '2001:db8::1' }];
  const vip = /^x\.internal 300 A 240\.240\.\d+\.\d+$/;
  it.each<[string, Parameters<typeof serviceEntry>[1], View['vips'], string[] | RegExp | 'NODATA' | 'NXDOMAIN']>([
    [
      'addresses, any resolution',
      { hosts: ['x.internal'], resolution: 'NONE', addresses: ['198.51.100.1', '203.0.113.0/24', '198.51.100.2/32'] },
      true,
      ['x.internal 30 A 198.51.100.1', 'x.internal 30 A 198.51.100.2'],
    ],
    [
      'addresses, no VIPs carried',
      { hosts: ['x.internal'], resolution: 'DNS', addresses: ['198.51.100.1'] },
      false,
      ['x.internal 30 A 198.51.100.1'],
    ],
    ['STATIC with endpoints', { ...STATIC, hosts: ['x.internal'], endpoints }, true, vip],
    [
      'STATIC with endpoints, no VIPs carried',
      { ...STATIC, hosts: ['x.internal'], endpoints },
      false,
      ['x.internal 30 A 192.0.2.1'],
    ],
    [
      'STATIC with endpoints and only CIDRs',
      { ...STATIC, hosts: ['x.internal'], addresses: ['203.0.113.0/24'], endpoints },
      true,
      ['x.internal 30 A 192.0.2.1'],
    ],
    ['STATIC without endpoints', { ...STATIC, hosts: ['x.internal'] }, true, vip],
    ['STATIC without endpoints, no VIPs carried', { ...STATIC, hosts: ['x.internal'] }, false, 'NODATA'],
    [
      'STATIC without endpoints and only CIDRs',
      { ...STATIC, hosts: ['x.internal'], addresses: ['203.0.113.0/24'] },
      true,
      'NODATA',
    ],
    ['DNS', { hosts: ['x.internal'], resolution: 'DNS' }, true, vip],
    ['DNS_ROUND_ROBIN', { hosts: ['x.internal'], resolution: 'DNS_ROUND_ROBIN' }, true, vip],
    [
      'DNS, no VIPs carried: registered in a private zone, without an answer',
      { hosts: ['x.internal'], resolution: 'DNS' },
      false,
      'NODATA',
    ],
    ['NONE without addresses', { hosts: ['x.internal'], resolution: 'NONE' }, true, 'NODATA'],
    [
      'NONE with only CIDRs',
      { hosts: ['x.internal'], resolution: 'NONE', addresses: ['203.0.113.0/24'] },
      true,
      'NODATA',
    ],
    ['DYNAMIC_DNS wildcard, VIPs by DNAT', { hosts: ['*.internal'], resolution: 'DYNAMIC_DNS' }, true, 'NODATA'],
    ['DYNAMIC_DNS wildcard, VIPs by a proxy', { hosts: ['*.internal'], resolution: 'DYNAMIC_DNS' }, 'proxy', vip],
  ])('%s', async (_row, spec, vips, expected) => {
    const registry = await registryWith(serviceEntry('x', spec));
    const wire = await ask(registry, 'x.internal', 'A', { view: { vips } });
    if (expected === 'NODATA') {
      expect([rcodeIn(wire), answersOf(wire)]).toEqual(['NOERROR', []]);
      expect(authoritiesOf(wire)[0]).toMatch(/ 30 SOA /);
    } else if (expected instanceof RegExp) {
      expect(answersOf(wire)).toEqual([expect.stringMatching(expected)]);
    } else expect(answersOf(wire)).toEqual(expected);
  });

  it('DNS outside a private zone is forwarded where no VIPs are carried, or where the label opts out', async () => {
    const labels = { 'networking.istio.io/enable-autoallocate-ip': 'False' };
    const registry = await registryWith(
      serviceEntry('a', { hosts: ['a.example.com'] }),
      serviceEntry('b', { hosts: ['b.example.com'] }, { labels }),
    );
    const forwarded = ['192.0.2.80'];
    const addresses = async (host: string, asked: Asked) =>
      message(await ask(registry, host, 'A', asked)).answers.map(({ data }) => data);
    expect(await addresses('a.example.com', { view: { vips: false }, forwards: true })).toEqual(forwarded);
    expect(await addresses('b.example.com', { forwards: true })).toEqual(forwarded);
    expect(await addresses('a.example.com', {})).toEqual([expect.stringMatching(/^240\.240\./)]);
  });
});

describe('an owned name', () => {
  const port = (portName: string, number: number, protocol: string) => ({ name: portName, number, protocol });
  const entry = serviceEntry('svc', {
    hosts: ['svc.example.com'],
    ports: [port('http', 80, 'HTTP'), port('dns', 53, 'UDP')],
  });

  it.each([
    ['AAAA', []],
    ['HTTPS', []],
    ['TXT', []],
    ['SRV', []],
    ['ANY', ['svc.example.com 300 HINFO "RFC8482" ""']],
  ])('is answered here for type %s, never forwarded', async (type, expected) => {
    const wire = await ask(await registryWith(entry), 'svc.example.com', type);
    expect(answersOf(wire)).toEqual(expected);
    expect(rcodeIn(wire)).toBe('NOERROR');
    expect(message(wire).aa).toBe(true);
    if (expected.length === 0) expect(authoritiesOf(wire)[0]).toMatch(/^svc\.example\.com 30 SOA /);
  });

  it.each([
    ['_http._tcp.svc.example.com', ['_http._tcp.svc.example.com 300 SRV 0 100 80 svc.example.com']],
    ['_dns._udp.svc.example.com', ['_dns._udp.svc.example.com 300 SRV 0 100 53 svc.example.com']],
    ['_http._udp.svc.example.com', []],
    ['_https._tcp.svc.example.com', []],
  ])('SRV %s', async (qname, expected) => {
    expect(answersOf(await ask(await registryWith(entry), qname, 'SRV'))).toEqual(expected);
  });

  it('is answered with the families of the view, and the other family is NODATA', async () => {
    const registry = await registryWith(entry);
    const wire = await ask(registry, 'svc.example.com', 'AAAA', { view: { families: ['ipv6'] } });
    expect(answersOf(wire)).toEqual([expect.stringMatching(/^svc\.example\.com 300 AAAA 2001:2::/)]);
    expect(answersOf(await ask(registry, 'svc.example.com', 'A', { view: { families: ['ipv6'] } }))).toEqual([]);
  });

  it('keeps the case of the question', async () => {
    const wire = await ask(await registryWith(entry), 'sVc.ExAmPle.com');
    expect(wire.includes(Buffer.from('\x03sVc\x07ExAmPle\x03com\0'))).toBe(true);
    expect(answersOf(wire)).toHaveLength(1);
  });

  it('has the TTL of its annotation', async () => {
    const annotated = serviceEntry('svc', { hosts: ['svc.example.com'] }, { annotations: { 'meshdoh.dev/ttl': '7' } });
    expect(answersOf(await ask(await registryWith(annotated), 'svc.example.com'))[0]).toMatch(
      /^svc\.example\.com 7 A /,
    );
  });
});

describe('which host a name belongs to', () => {
  const literal = (host: string, address: string) =>
    serviceEntry(`e${address.replaceAll(/[.:]+/g, '-')}`, {
      hosts: [host],
      resolution: 'STATIC',
      addresses: [address],
    });

  it('exact before wildcard, the longest wildcard before a shorter one, at any depth', async () => {
    const registry = await registryWith(
      literal('*.example.com', '192.0.2.1'),
      literal('*.deep.example.com', '192.0.2.2'),
      literal('a.deep.example.com', '192.0.2.3'),
    );
    const addressOf = async (qname: string) => message(await ask(registry, qname)).answers[0]?.data;
    expect(await addressOf('a.deep.example.com')).toBe('192.0.2.3');
    expect(await addressOf('x.y.deep.example.com')).toBe('192.0.2.2');
    expect(await addressOf('z.example.com')).toBe('192.0.2.1');
    expect(answersOf(await ask(registry, 'example.com', 'A', { forwards: true }))).toEqual([
      'example.com 60 A 192.0.2.80',
    ]);
  });

  it('a search domain is taken off only when the name itself is nobody’s, by a CNAME to the real name', async () => {
    const registry = await registryWith(
      literal('db.example.com', '192.0.2.1'),
      literal('*.wild.example.com', '192.0.2.2'),
    );
    const view = { searchDomains: ['corp.example.net'] };
    expect(answersOf(await ask(registry, 'db.example.com.corp.example.net', 'A', { view }))).toEqual([
      'db.example.com.corp.example.net 30 CNAME db.example.com',
      'db.example.com 30 A 192.0.2.1',
    ]);
    expect(answersOf(await ask(registry, 'x.wild.example.com.corp.example.net', 'A', { view }))[0]).toBe(
      'x.wild.example.com.corp.example.net 30 CNAME x.wild.example.com',
    );
  });

  it.each(['AAAA', 'HTTPS', 'TXT', 'SRV'])(
    'a name that a search domain completes, without data of type %s, is the CNAME with the SOA of its target',
    async (type) => {
      const registry = await registryWith(literal('db.example.com', '192.0.2.1'));
      const view = { searchDomains: ['corp.example.net'] };
      const wire = await ask(registry, 'db.example.com.corp.example.net', type, { view });
      expect(rcodeIn(wire)).toBe('NOERROR');
      expect(answersOf(wire)).toEqual(['db.example.com.corp.example.net 30 CNAME db.example.com']);
      expect(authoritiesOf(wire)).toEqual([expect.stringMatching(/^db\.example\.com 30 SOA /)]);
    },
  );

  it('CNAME of a name that a search domain completes is the CNAME alone', async () => {
    const registry = await registryWith(literal('db.example.com', '192.0.2.1'));
    const view = { searchDomains: ['corp.example.net'] };
    const wire = await ask(registry, 'db.example.com.corp.example.net', 'CNAME', { view });
    expect(answersOf(wire)).toEqual(['db.example.com.corp.example.net 30 CNAME db.example.com']);
    expect(authoritiesOf(wire)).toEqual([]);
  });

  it('underscores that are no service of a registered name are ordinary labels of a wildcard (RFC 4592)', async () => {
    const registry = await registryWith(literal('*.wild.example', '192.0.2.1'), literal('*.internal', '192.0.2.2'));
    const txt = await ask(registry, '_dmarc.wild.example', 'TXT');
    expect([rcodeIn(txt), answersOf(txt)]).toEqual(['NOERROR', []]);
    expect(authoritiesOf(txt)).toEqual([expect.stringMatching(/^wild\.example 30 SOA /)]);
    expect(answersOf(await ask(registry, '_dmarc.wild.example'))).toEqual(['_dmarc.wild.example 30 A 192.0.2.1']);
    expect(answersOf(await ask(registry, '_a._b.internal'))).toEqual(['_a._b.internal 30 A 192.0.2.2']);
    expect(answersOf(await ask(registry, '_http._tcp.x.wild.example', 'SRV'))).toEqual([
      '_http._tcp.x.wild.example 30 SRV 0 100 80 x.wild.example',
    ]);
    expect(answersOf(await ask(registry, '_http._tcp.x.wild.example'))).toEqual([]);
  });

  it('names above hosts and hosts that the view may not see take nothing from a wildcard', async () => {
    const hidden = serviceEntry('h', { hosts: ['h.example.com'], exportTo: ['.'] }, { namespace: 'secret' });
    const registry = await registryWith(
      literal('*.example.com', '192.0.2.1'),
      literal('a.b.example.com', '192.0.2.2'),
      hidden,
    );
    const addressOf = async (qname: string) => message(await ask(registry, qname)).answers[0]?.data;
    expect(await addressOf('a.b.example.com')).toBe('192.0.2.2');
    expect(await addressOf('b.example.com')).toBe('192.0.2.1');
    expect(await addressOf('x.b.example.com')).toBe('192.0.2.1');
    expect(await addressOf('h.example.com')).toBe('192.0.2.1');
  });

  it('what an exact host lacks, a wildcard above it does not lend', async () => {
    const registry = await registryWith(literal('*.example.com', '2001:db8::1'), literal('a.example.com', '192.0.2.1'));
    const wire = await ask(registry, 'a.example.com', 'AAAA');
    expect([rcodeIn(wire), answersOf(wire)]).toEqual(['NOERROR', []]);
    expect(authoritiesOf(wire)).toEqual([expect.stringMatching(/^a\.example\.com 30 SOA /)]);
    expect(answersOf(await ask(registry, 'b.example.com', 'AAAA'))).toHaveLength(1);
  });

  it('the asterisk itself is a label like any other (RFC 4592 section 2.3)', async () => {
    const registry = await registryWith(literal('*.example.com', '192.0.2.1'));
    expect(answersOf(await ask(registry, '*.example.com'))).toEqual(['*.example.com 30 A 192.0.2.1']);
  });

  it('a name above hosts is forwarded unless its zone is private: what else lies there is not ours', async () => {
    const registry = await registryWith(literal('a.b.example.com', '192.0.2.1'), literal('a.b.internal', '192.0.2.2'));
    expect(answersOf(await ask(registry, 'b.example.com', 'A', { forwards: true }))).toHaveLength(1);
    const wire = await ask(registry, 'b.internal');
    expect([rcodeIn(wire), answersOf(wire)]).toEqual(['NOERROR', []]);
    expect(rcodeIn(await ask(registry, 'x.a.b.internal'))).toBe('NXDOMAIN');
  });

  it('a host not exported to the view is as if nobody had registered it, to the octet', async () => {
    const hidden = serviceEntry('h', { hosts: ['h.internal'], exportTo: ['.'] }, { namespace: 'secret' });
    const registry = await registryWith(hidden);
    const shown = (wire: Buffer) => wire.toString('latin1');
    const withHost = shown(await ask(registry, 'h.internal'));
    await registry.remove('h', 'secret');
    expect(shown(await ask(await registryWith(), 'h.internal'))).toBe(withHost);
    expect(rcodeIn(Buffer.from(withHost, 'latin1'))).toBe('NXDOMAIN');
  });

  it('the view’s own namespace wins, then the oldest entry', async () => {
    const registry = await openTestRegistry();
    const at = (namespace: string, address: string) =>
      serviceEntry('e', { hosts: ['s.internal'], resolution: 'STATIC', addresses: [address] }, { namespace });
    for (const entry of [at('old', '192.0.2.1'), at('new', '192.0.2.2'), at('own', '192.0.2.3')]) {
      await registry.apply(entry);
      registry.clock.now += 60_000;
    }
    const addressFor = async (namespace: string) =>
      message(await ask(registry, 's.internal', 'A', { view: { namespace } })).answers[0]?.data;
    expect(await addressFor('own')).toBe('192.0.2.3');
    expect(await addressFor('default')).toBe('192.0.2.1');
  });
});

describe('private zones', () => {
  const entry = serviceEntry('e', { hosts: ['tcp-echo.external-1.svc.cluster.local'] });

  it.each([
    ['nobody.internal', 'NXDOMAIN', 'internal'],
    ['internal', 'NOERROR', 'internal'],
    ['svc.cluster.local', 'NOERROR', 'cluster.local'],
    ['external-1.svc.cluster.local', 'NOERROR', 'cluster.local'],
    ['external-2.svc.cluster.local', 'NXDOMAIN', 'cluster.local'],
  ])('%s is %s with the SOA of %s', async (qname, rcode, zone) => {
    const wire = await ask(await registryWith(entry), qname);
    expect(rcodeIn(wire)).toBe(rcode);
    expect(authoritiesOf(wire)).toEqual([expect.stringMatching(`^${zone} 30 SOA ${zone} nobody.invalid `)]);
  });

  it('names above hosts that the view may not see do not exist for it', async () => {
    const hidden = serviceEntry('h', { hosts: ['a.team.internal'], exportTo: ['.'] }, { namespace: 'secret' });
    const registry = await registryWith(hidden);
    expect(rcodeIn(await ask(registry, 'team.internal'))).toBe('NXDOMAIN');
    expect(rcodeIn(await ask(registry, 'team.internal', 'A', { view: { namespace: 'secret' } }))).toBe('NOERROR');
  });

  it('are forwarded only where an upstream rule names them', async () => {
    const registry = await registryWith();
    const wire = await ask(registry, 'db.corp.internal', 'A', { forwards: true, routes: ['corp.internal'] });
    expect(answersOf(wire)).toHaveLength(1);
  });
});

describe('names that are never forwarded', () => {
  it.each([
    ['localhost', 'A', 'NOERROR', ['localhost 86400 A 127.0.0.1']],
    ['a.localhost', 'AAAA', 'NOERROR', ['a.localhost 86400 AAAA ::1']],
    ['localhost', 'TXT', 'NOERROR', []],
    ['x.invalid', 'A', 'NXDOMAIN', []],
    ['_dns.resolver.arpa', 'SVCB', 'NOERROR', []],
    ['7.7.240.240.in-addr.arpa', 'PTR', 'NXDOMAIN', []],
    ['7.240.240.in-addr.arpa', 'PTR', 'NOERROR', []],
    ['240.240.in-addr.arpa', 'PTR', 'NOERROR', []],
    ['x.7.240.240.in-addr.arpa', 'PTR', 'NXDOMAIN', []],
    ['0.0.0.0.2.0.0.0.1.0.0.2.ip6.arpa', 'PTR', 'NOERROR', []],
  ])('%s %s', async (qname, type, rcode, answers) => {
    const wire = await ask(await registryWith(), qname, type);
    expect([rcodeIn(wire), answersOf(wire)]).toEqual([rcode, answers]);
    if (answers.length === 0) expect(authoritiesOf(wire)).toHaveLength(1);
  });

  it('a reverse name outside the pool is forwarded', async () => {
    expect(
      answersOf(await ask(await registryWith(), '1.2.0.192.in-addr.arpa', 'PTR', { forwards: true })),
    ).toHaveLength(1);
  });

  it('PTR of a live VIP is its host, for those who may see it', async () => {
    const registry = await registryWith(serviceEntry('auto', { hosts: ['auto.internal'], exportTo: ['.'] }));
    const reverse = `${(await registry.vipOf('auto.internal'))?.split('.').reverse().join('.')}.in-addr.arpa`;
    expect(answersOf(await ask(registry, reverse, 'PTR'))).toEqual([`${reverse} 300 PTR auto.internal`]);
    expect(answersOf(await ask(registry, reverse, 'A'))).toEqual([]);
    expect(rcodeIn(await ask(registry, reverse, 'PTR', { view: { namespace: 'other' } }))).toBe('NXDOMAIN');
    await registry.remove('auto');
    expect(rcodeIn(await ask(registry, reverse, 'PTR'))).toBe('NXDOMAIN');
  });
});

describe('when it is nobody’s, or nobody can tell', () => {
  it('a view that does not forward is refused, with the reason', async () => {
    const wire = await ask(await registryWith(), 'www.example.com', 'A', { view: { forwardUnknown: false } });
    expect([rcodeIn(wire), edeCodesOf(wire)]).toEqual(['REFUSED', [18]]);
  });

  it('an unreadable registry answers its last known state for an hour, then SERVFAIL, and never forwards', async () => {
    const registry = await registryWith(serviceEntry('auto', { hosts: ['auto.internal'] }));
    let down = false;
    const reader = registry.anotherReader({ before: () => (down ? { kind: 'internalError' } : undefined) });
    const broken = { ...registry, reader };
    const fresh = answersOf(await ask(broken, 'auto.internal'));
    await ask(broken, 'www.example.com', 'A', { forwards: true });
    down = true;
    registry.clock.now += 60_000;
    const stale = await ask(broken, 'auto.internal');
    expect(answersOf(stale)).toEqual(fresh.map((line) => line.replace(' 300 ', ' 30 ')));
    expect(edeCodesOf(stale)).toEqual([3]);
    expect(answersOf(await ask(broken, 'www.example.com', 'A', { forwards: true }))).toHaveLength(1);
    registry.clock.now += 3_600_000;
    for (const qname of ['auto.internal', 'www.example.com']) {
      const wire = await ask(broken, qname);
      expect([rcodeIn(wire), edeCodesOf(wire)]).toEqual(['SERVFAIL', [14]]);
    }
  });
});
