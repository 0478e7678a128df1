import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseTable, tableJson } from '../../src/table/parse-table.ts';
import { onlyHost, POOL, SETTINGS, stored, tableOf, VIP } from './registered.ts';

const OTHER_VIP = { ipv4: '240.240.2.2', ipv6: '2001:2::202' };
const HOST = 'a.internal';
const vip = { [HOST]: VIP };
const OPT_OUT = { labels: { 'networking.istio.io/enable-autoallocate-ip': 'false' } };

describe('the table of a view', () => {
  it('says what it was made for', () => {
    expect(tableOf([], { namespace: 'team-a' })).toEqual({
      schemaVersion: 1,
      view: expect.objectContaining({ namespace: 'team-a' }),
      negativeTtl: SETTINGS.ttl.negative,
      privateZones: SETTINGS.privateZones,
      pools: [POOL],
      hosts: [],
    });
  });

  it('is sorted, and the same octets whatever the order of the entries', () => {
    const entries = ['c', 'a', 'b', '*.b', 'a.b'].map((label, at) =>
      stored(`e${at}`, { hosts: [`${label}.internal`] }),
    );
    const json = tableJson(tableOf(entries));
    expect(tableJson(tableOf(entries.toReversed()))).toBe(json);
    const hosts = tableOf(entries).hosts.map(({ host }) => host);
    expect(hosts).toEqual(['*.b.internal', 'a.b.internal', 'a.internal', 'b.internal', 'c.internal']);
  });
});

/** The rows of what a host answers: for a view that carries VIPs, and for one that does not. */
describe('a host', () => {
  const endpoints = [{ address: '10.0.0.1' }, { address: '10.0.0.2', weight: 0 }];
  const literal = ['198.51.100.1', '2001:db8::1'];

  it.each([
    ['literal addresses', { resolution: 'NONE', addresses: literal }, literal, literal],
    ['a prefix of one address', { resolution: 'STATIC', addresses: ['198.51.100.1/32'] }, [literal[0]], [literal[0]]],
    ['STATIC with endpoints', { resolution: 'STATIC', endpoints }, [VIP.ipv4], ['10.0.0.1']],
    [
      'STATIC with CIDRs and endpoints',
      { resolution: 'STATIC', addresses: ['10.0.0.0/8'], endpoints },
      ['10.0.0.1'],
      ['10.0.0.1'],
    ],
    ['STATIC without endpoints', { resolution: 'STATIC' }, [VIP.ipv4], []],
    ['STATIC with CIDRs alone', { resolution: 'STATIC', addresses: ['10.0.0.0/8'] }, [], []],
    ['DNS', { resolution: 'DNS' }, [VIP.ipv4], undefined],
    ['DNS_ROUND_ROBIN', { resolution: 'DNS_ROUND_ROBIN' }, [VIP.ipv4], undefined],
    ['NONE', { resolution: 'NONE' }, undefined, undefined],
    ['NONE with CIDRs', { resolution: 'NONE', addresses: ['10.0.0.0/8'] }, undefined, undefined],
  ] as const)('with %s', (_, spec, carried, notCarried) => {
    const entry = stored('e', { hosts: [HOST], ...spec } as never, vip);
    for (const [vips, addresses] of [
      [true, carried],
      [false, notCarried],
    ] as const) {
      const host = onlyHost(tableOf([entry], { vips }));
      expect(host, `vips ${vips}`).toMatchObject({ owned: addresses !== undefined, addresses: addresses ?? [] });
    }
  });

  it.each([
    [true, false],
    [false, false],
    ['proxy', true],
  ] as const)('with DYNAMIC_DNS is answered where vips are %s: %s', (vips, owned) => {
    const entry = stored('e', { hosts: ['*.a.internal'], resolution: 'DYNAMIC_DNS' }, { '*.a.internal': VIP });
    expect(onlyHost(tableOf([entry], { vips })).owned).toBe(owned);
  });

  it('has its VIP in the families of the view', () => {
    const entry = stored('e', { hosts: [HOST] }, vip);
    expect(onlyHost(tableOf([entry], { families: ['ipv6'] }))).toMatchObject({ addresses: [VIP.ipv6], vip: VIP });
    expect(onlyHost(tableOf([entry], { families: [] }))).toMatchObject({ owned: true, addresses: [], vip: VIP });
  });

  it.each([
    ['a VIP', stored('e', { hosts: [HOST] }, vip), 300],
    ['an address', stored('e', { hosts: [HOST], resolution: 'NONE', addresses: ['198.51.100.1'] }), 30],
    ['an annotation', stored('e', { hosts: [HOST] }, vip, { annotations: { 'meshdoh.dev/ttl': '7' } }), 7],
  ])('has the TTL of %s', (_, entry, ttl) => {
    expect(onlyHost(tableOf([entry])).ttl).toBe(ttl);
  });

  it('is absent where nothing of it is exported to the view', () => {
    const hidden = [['.'], ['~'], ['team-b']].map((exportTo, at) =>
      stored(`e${at}`, { hosts: [HOST], exportTo }, vip, { namespace: 'team-a' }),
    );
    expect(tableOf(hidden).hosts).toEqual([]);
  });

  it('has the VIP of the namespace that answers, and no other', () => {
    const theirs = stored('e', { hosts: [HOST] }, { [HOST]: OTHER_VIP }, { namespace: 'a-team' });
    const ours = stored('e', { hosts: [HOST] }, vip, { creationTimestamp: '2026-11-02T00:00:00Z' });
    expect(onlyHost(tableOf([theirs, ours]))).toMatchObject({ namespace: 'default', vip: VIP });
    expect(onlyHost(tableOf([theirs, ours], { namespace: 'else' }))).toMatchObject({
      namespace: 'a-team',
      vip: OTHER_VIP,
    });
  });

  it('does not tell the VIP of a claim that the view may not see', () => {
    const hidden = stored('hidden', { hosts: [HOST], exportTo: ['.'] }, vip, { namespace: 'team-a' });
    const seen = stored('seen', { hosts: [HOST] }, {}, { namespace: 'team-a', ...OPT_OUT });
    const host = onlyHost(tableOf([hidden, seen]));
    expect(host).toMatchObject({ owned: false, addresses: [], endpoints: [] });
    expect(host).not.toHaveProperty('vip');
  });

  it('has the ports of all visible entries of the namespace, each once', () => {
    const port = (number: number) => ({ name: `p${number}`, number, protocol: 'TCP' });
    const table = tableOf([
      stored('a', { hosts: [HOST], ports: [port(80), port(90)] }, vip),
      stored('b', { hosts: [HOST], ports: [port(90), port(100)] }, vip),
      stored('c', { hosts: [HOST], ports: [port(110)], exportTo: ['~'] }, vip),
    ]);
    expect(onlyHost(table).ports.map(({ number }) => number)).toEqual([80, 90, 100]);
  });
});

describe('a large table', () => {
  it('of 10,000 hosts with two endpoints each fits into the answer of a function', () => {
    const address = (at: number, net: number) => `10.${net}.${at >> 8}.${at & 255}`;
    const entries = Array.from({ length: 10_000 }, (_, at) => {
      const host = `service-${at}.namespace-${at % 97}.svc.cluster.local`;
      const endpoints = [1, 2].map((net) => ({ address: address(at, net), ports: { http: 8080 + (at % 5) } }));
      const given = { ipv4: `240.240.${at >> 8}.${at & 255}`, ipv6: `2001:2::${(at + 1).toString(16)}` };
      return stored(`e${at}`, { hosts: [host], resolution: 'STATIC', endpoints }, { [host]: given });
    });
    const json = tableJson(tableOf(entries));
    const octets = gzipSync(json).toString('base64').length;
    process.stdout.write(`10,000 hosts: ${json.length} octets of JSON, ${octets} as base64 of gzip\n`);
    expect(octets).toBeLessThan(6 * 1024 * 1024);
    expect(parseTable(json)).toMatchObject({ ok: true, table: { hosts: { length: 10_000 } } });
  });
});
