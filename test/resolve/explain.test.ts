import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Explanation } from '../../src/resolve/explain.ts';
import { type OperatorApps, openOperatorApps } from '../support/operator-server.ts';
import { serviceEntry, TOMBSTONE_MS } from '../support/registry.ts';

let apps: OperatorApps;
let released: string;

beforeAll(async () => {
  apps = await openOperatorApps({
    routes: new Map([['corp.example', [{ url: 'https://corp.example/dns-query' }]]]) as never,
  });
  const { registry } = apps;
  const apply = async (...given: Parameters<typeof serviceEntry>) => {
    expect(await registry.apply(serviceEntry(...given))).toMatchObject({ kind: 'created' });
    registry.clock.now += 1000;
  };
  await apply('auto', { hosts: ['auto.internal'] });
  await apply('theirs', { hosts: ['auto.internal'] }, { namespace: 'team-a' });
  await apply('hidden', { hosts: ['auto.internal', 'hidden.internal'], exportTo: ['.'] }, { namespace: 'team-b' });
  await apply('silent', { hosts: ['auto.internal'], resolution: 'NONE' });
  await apply('wild', { hosts: ['*.internal'], resolution: 'NONE', addresses: ['198.51.100.1'] });
  await apply('ttl', { hosts: ['ttl.internal'] }, { annotations: { 'meshdoh.dev/ttl': '7' } });
  await apply('gone', { hosts: ['gone.example'] });
  released = (await registry.vipOf('gone.example')) ?? '';
  await registry.remove('gone');
});
afterAll(async () => {
  await apps.registry.db.close();
  expect(apps.faults).toEqual([]);
});

async function explain(name: string, query = ''): Promise<Explanation> {
  const answer = await apps.app.request(`/v1/explain?name=${encodeURIComponent(name)}${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Explanation;
}

const verdicts = ({ hosts }: Explanation) =>
  Object.fromEntries(hosts.flatMap(({ host, entries }) => entries.map((one) => [`${host} ${one.entry}`, one.verdict])));

describe('explain', () => {
  it('tells who answers for a name, who loses, and why', async () => {
    const explained = await explain('auto.internal');
    const vip = await apps.registry.vipOf('auto.internal');
    expect(explained).toMatchObject({
      name: 'auto.internal',
      type: 'A',
      view: { namespace: 'default' },
      step: 'exact',
      kind: 'answer',
      records: [`auto.internal 300 IN A ${vip}`],
      ttl: { seconds: 300, from: 'setting ttl.vip' },
      match: { host: 'auto.internal', namespace: 'default', searched: false },
      vip: { ipv4: vip, state: 'live', holder: { namespace: 'default', host: 'auto.internal' } },
      mayBeRegistered: true,
      upstreams: [],
    });
    expect(verdicts(explained)).toEqual({
      'auto.internal default/auto': 'answers',
      'auto.internal team-a/theirs': 'otherNamespace',
      'auto.internal team-b/hidden': 'notExported',
      'auto.internal default/silent': 'noAnswer',
      '*.internal default/wild': 'shadowed',
    });
    const because = explained.hosts.flatMap(({ entries }) => entries.map((entry) => entry.because));
    expect(because).toEqual([
      'with its virtual IP',
      `namespace "default" is the view's own, and answers`,
      'exportTo (.) does not include namespace "default"',
      'it has no address, and resolution NONE gets no virtual IP',
      'host "auto.internal" matches the name better',
    ]);
  });

  it('tells that between other namespaces the oldest entry wins', async () => {
    const explained = await explain('auto.internal', '&namespace=team-c');
    expect(explained.match?.namespace).toBe('default');
    const theirs = explained.hosts[0]?.entries.find(({ entry }) => entry === 'team-a/theirs');
    expect(theirs).toMatchObject({ verdict: 'otherNamespace', because: 'default/auto answers, which is older' });
  });

  it('tells why a view without virtual IPs gets something else', async () => {
    const explained = await explain('auto.internal', '&vips=0');
    expect(explained).toMatchObject({ step: 'wildcard', match: { host: '*.internal' } });
    const auto = explained.hosts[0]?.entries[0];
    expect(auto?.because).toBe('it has nothing but a virtual IP, and the view carries none (vips: false)');
  });

  it.each([
    [
      'a wildcard host',
      'any.internal',
      '',
      { step: 'wildcard', match: { host: '*.internal' }, ttl: { from: 'setting ttl.owned' } },
    ],
    ['an annotation', 'ttl.internal', '', { ttl: { seconds: 7, from: 'annotation meshdoh.dev/ttl of default/ttl' } }],
    [
      'a type without records',
      'auto.internal',
      '&type=TXT',
      { step: 'exact', kind: 'noData', zone: 'auto.internal', ttl: { from: 'setting ttl.negative' } },
    ],
    [
      'SRV',
      '_http._tcp.auto.internal',
      '&type=SRV',
      { step: 'exact', records: ['_http._tcp.auto.internal 300 IN SRV 0 100 80 auto.internal'] },
    ],
    [
      'a special name',
      'localhost',
      '',
      { step: 'special', kind: 'answer', records: ['localhost 86400 IN A 127.0.0.1'] },
    ],
    ['a private zone', 'a.cluster.local', '', { step: 'privateZone', kind: 'nxDomain', zone: 'cluster.local' }],
    [
      'a name of nobody',
      'www.example.com',
      '',
      { step: 'forward', kind: 'forward', mayBeRegistered: false, hasRoute: false },
    ],
    [
      'a suffix with a route',
      'a.corp.example',
      '',
      { step: 'forward', hasRoute: true, upstreams: ['https://corp.example'] },
    ],
    ['a zone transfer', 'auto.internal', '&type=AXFR', { step: 'query', kind: 'error', rcode: 'REFUSED' }],
  ])('explains %s', async (_, name, query, expected) => {
    expect(await explain(name, query)).toMatchObject(expected);
  });

  it('names the upstreams of the settings', async () => {
    const { upstreams } = await explain('www.example.com');
    expect(upstreams).toEqual(['https://cloudflare-dns.com', 'https://dns.quad9.net']);
  });

  it('tells the history of an address by its reverse name', async () => {
    const reversed = `${released.split('.').reverse().join('.')}.in-addr.arpa`;
    const explained = await explain(reversed, '&type=PTR');
    expect(explained).toMatchObject({
      step: 'reverse',
      kind: 'nxDomain',
      vip: { ipv4: released, state: 'released', holder: { host: 'gone.example' } },
    });
    expect(explained.vip?.until).toBe(apps.registry.clock.now + TOMBSTONE_MS);
    const vip = (await apps.registry.vipOf('auto.internal')) ?? '';
    const live = await explain(`${vip.split('.').reverse().join('.')}.in-addr.arpa`, '&type=PTR');
    expect(live).toMatchObject({ step: 'reverse', kind: 'answer', vip: { state: 'live' } });
    expect(live.records).toEqual([`${live.name} 300 IN PTR auto.internal`]);
  });

  it.each(['name=', 'name=a..b', 'name=a.b&type=NOTYPE', 'name=a.b&namespace=A', 'name=a.b&vips=2'])(
    'refuses %s',
    async (query) => {
      expect((await apps.app.request(`/v1/explain?${query}`)).status).toBe(400);
    },
  );
});
