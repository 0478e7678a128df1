import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import type { PartialView } from '../../src/table/view-fields.ts';
import { queryWire } from '../support/dns.ts';
import { get, openEndpoint } from '../support/endpoint.ts';
import { deadline, openTestRegistry, serviceEntry, type TestRegistry } from '../support/registry.ts';

/** Names that a tenant may guess. */
const HOSTS = [
  'alpha.internal',
  'beta.alpha.internal',
  'deep.down.gamma.internal',
  'delta.example.com',
  'epsilon.delta.example.com',
  'zeta.ns.svc.cluster.local',
];
const WILDCARDS = ['*.alpha.internal', '*.eta.internal', '*.delta.example.com'];

const RESOLUTIONS = [
  { resolution: 'DNS' },
  { resolution: 'STATIC', endpoints: [{ address: '10.0.0.1' }] },
  { resolution: 'STATIC', addresses: ['198.51.100.7'] },
  { resolution: 'NONE' },
  { resolution: 'NONE', addresses: ['198.51.100.8'] },
] as const;

/** Whom an entry is for: the tenant's namespace is `default`. */
const SECRET = [
  { namespace: 'team-a', exportTo: ['.'] },
  { namespace: 'team-a', exportTo: ['team-b'] },
  { namespace: 'team-a', exportTo: ['~'] },
  { namespace: 'default', exportTo: ['~'] },
] as const;
const PUBLIC = [
  { namespace: 'default', exportTo: ['.'] },
  { namespace: 'team-b', exportTo: ['*'] },
  { namespace: 'team-b', exportTo: ['default'] },
] as const;

const entries = (scopes: readonly { namespace: string; exportTo: readonly string[] }[], prefix: string, min: number) =>
  fc
    .array(
      fc.record({
        host: fc.constantFrom(...HOSTS, ...WILDCARDS),
        answer: fc.constantFrom(...RESOLUTIONS),
        scope: fc.constantFrom(...scopes),
        ttl: fc.option(fc.constantFrom('5', '77'), { nil: undefined }),
        port: fc.constantFrom(80, 9000),
      }),
      { minLength: min, maxLength: 5 },
    )
    .map((records) =>
      records.map(({ host, answer, scope, ttl, port }, index): ServiceEntry => {
        const { namespace, exportTo } = scope;
        // A wildcard host takes addresses of its own, or none at all.
        const spec = host.startsWith('*') ? RESOLUTIONS[4] : answer;
        const ports = [{ name: 'http', number: port, protocol: 'TCP' }];
        const annotations = ttl === undefined ? {} : { 'meshdoh.dev/ttl': ttl };
        return serviceEntry(`${prefix}${index}`, { hosts: [host], ports, ...spec, exportTo } as never, {
          namespace,
          annotations,
        });
      }),
    );

async function openWorld(applied: readonly ServiceEntry[]): Promise<TestRegistry> {
  const registry = await openTestRegistry();
  for (const entry of applied) await registry.apply(entry);
  return registry;
}

/** The reverse names of every VIP there is. */
async function reverseNames(registry: TestRegistry): Promise<string[]> {
  const { items } = await registry.entries.list(undefined, deadline());
  const values = items.flatMap(({ status }) => (status?.addresses ?? []).map(({ value }) => value));
  return values.map((value) => {
    const octets = ipaddr.parse(value).toByteArray();
    if (octets.length === 4) return `${octets.reverse().join('.')}.in-addr.arpa`;
    const nibbles = octets.flatMap((octet) => [octet >> 4, octet & 15]).reverse();
    return `${nibbles.map((nibble) => nibble.toString(16)).join('.')}.ip6.arpa`;
  });
}

function questions(reversed: readonly string[]): string[] {
  const names = [...HOSTS, ...WILDCARDS.map((host) => host.replace('*', 'any')), 'eta.internal', 'down.gamma.internal'];
  const wires = [
    ...names.flatMap((name) => [
      ...['A', 'AAAA', 'ANY', 'TXT', 'HTTPS'].map((type) => queryWire(name, type)),
      queryWire(`_http._tcp.${name}`, 'SRV'),
      queryWire(`below.${name}`),
    ]),
    ...reversed.flatMap((name) => [queryWire(name, 'PTR'), queryWire(name, 'TXT')]),
  ];
  return [
    ...wires.map((wire) => `/dns-query?dns=${wire.toString('base64url')}`),
    ...names.map((name) => `/dns-query?name=${name}&type=A`),
    ...names.map((name) => `/dns-query?name=${name}&type=A&vips=0`),
    '/v1/table',
    '/v1/table?vips=0&families=4',
  ];
}

/** All that a tenant sees of each answer, and what it cost. */
async function observe(registry: TestRegistry, view: PartialView, targets: readonly string[]) {
  const { transaction, addToken } = openEndpoint(registry);
  const token = await addToken(view);
  await get(transaction, `/${token}/dns-query?name=warm.up`);
  const { calls } = registry.db;
  const observed: object[] = [];
  for (const target of targets) {
    const before = new Map(calls);
    const { status, headers, body } = await get(transaction, `/${token}${target}`);
    // A tag tells that something has changed somewhere, never what.
    const { etag: _etag, ...rest } = headers;
    const reads = [...calls].map(([operation, count]) => `${operation} ${count - (before.get(operation) ?? 0)}`);
    observed.push({ target, status, headers: rest, body: body.toString('latin1'), reads: reads.sort().join() });
  }
  return observed;
}

describe('a tenant', () => {
  it('sees no difference between a host that is not exported to it and one that does not exist', async () => {
    const views = fc.constantFrom<PartialView>(
      {},
      { vips: false },
      { families: ['ipv4', 'ipv6'] },
      { searchDomains: ['internal'] },
      { forwardUnknown: false },
    );
    await fc.assert(
      fc.asyncProperty(
        entries(PUBLIC, 'public', 0),
        entries(SECRET, 'secret', 1),
        views,
        async (open, secret, view) => {
          const [withSecrets, without] = await Promise.all([openWorld([...open, ...secret]), openWorld(open)]);
          try {
            const targets = questions(await reverseNames(withSecrets));
            expect(await observe(withSecrets, view, targets)).toEqual(await observe(without, view, targets));
          } finally {
            await Promise.all([withSecrets.db.close(), without.db.close()]);
          }
        },
      ),
      { numRuns: 20, seed: 20_261_124 },
    );
  }, 120_000);
});
