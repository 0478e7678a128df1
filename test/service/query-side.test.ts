import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createQuerySide, type QuerySide } from '../../src/service/query-side.ts';
import { defaults } from '../../src/settings.ts';
import { answersOf, name, queryWire, rcodeIn } from '../support/dns.ts';
import { DEFAULT_VIEW, openTestRegistry, serviceEntry, TABLE, type TestRegistry } from '../support/registry.ts';

/** So long that nothing ends by itself. */
const registryCacheMs = 600_000;

let registry: TestRegistry;
const sides: QuerySide[] = [];
beforeAll(async () => {
  registry = await openTestRegistry();
});
afterAll(async () => {
  await Promise.all(sides.map((side) => side.close()));
  await registry.db.close();
});

function sideWith(cacheBytes: number): QuerySide {
  const settings = { ...defaults, registryCacheMs, cacheBytes, upstreams: [] };
  const side = createQuerySide({ client: registry.client, table: TABLE }, settings);
  sides.push(side);
  return side;
}

const VIEW = { ...DEFAULT_VIEW, searchDomains: [name('zone.internal')] };

async function ask({ exchange }: QuerySide, qname: string, type = 'A'): Promise<string[] | string> {
  const exchanged = await exchange.answer(queryWire(qname, type), VIEW, () => AbortSignal.timeout(5_000));
  if ('malformed' in exchanged) throw new Error(exchanged.malformed);
  const rcode = rcodeIn(exchanged.wire);
  return rcode === 'NOERROR' ? answersOf(exchanged.wire).map((line) => line.split(' ').slice(-2).join(' ')) : rcode;
}

const entry = (host: string, address: string) =>
  serviceEntry('one', { hosts: [host], resolution: 'NONE', addresses: [address] });

describe.each([32 * 1024 * 1024, 0])('a commit of this process, with %i octets of cache', (cacheBytes) => {
  const cases: [what: string, host: string, asked: string][] = [
    ['the host itself', 'a.zone.internal', 'a.zone.internal'],
    ['names below a wildcard host', '*.wild.internal', 'x.y.wild.internal'],
    ['names that a search domain completes', 'b.zone.internal', 'b.zone.internal.zone.internal'],
    ['names that were somebody else’s so far', 'www.example.org', 'www.example.org'],
  ];
  it.each(cases)('is seen at once by %s', async (_what, host, qname) => {
    const side = sideWith(cacheBytes);
    const without = await ask(side, qname);
    expect(await ask(side, qname)).toEqual(without);
    const applied = await registry.apply(entry(host, '192.0.2.1'));
    if (applied.kind === 'rejected') throw new Error(applied.message);
    side.committed(applied.hosts);
    const within = await ask(side, qname);
    expect(within).not.toEqual(without);
    const removed = await registry.remove('one');
    if (removed.kind === 'rejected') throw new Error(removed.message);
    side.committed(removed.hosts);
    expect(await ask(side, qname)).toEqual(without);
  });

  it('is seen at once by the names above it, which exist from then on', async () => {
    const side = sideWith(cacheBytes);
    const above = `above${cacheBytes}.internal`;
    expect(await ask(side, above)).toBe('NXDOMAIN');
    const applied = await registry.apply(entry(`host.${above}`, '192.0.2.1'));
    if (applied.kind === 'rejected') throw new Error(applied.message);
    side.committed(applied.hosts);
    expect(await ask(side, above)).toEqual([]);
    await registry.remove('one');
  });
});

it('0 octets of cache keep nothing', async () => {
  const side = sideWith(0);
  await ask(side, 'x.internal');
  await ask(side, 'x.internal');
  expect(side.exchange.counters).toEqual({ hits: 0, misses: 2, stale: 0 });
});
