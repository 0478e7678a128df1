import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MeshTable } from '../../src/table/mesh-table.ts';
import { MAX_TABLE_OCTETS, parseTable, tableJson } from '../../src/table/parse-table.ts';
import { stored, tableOf, VIP } from './registered.ts';

const TABLE = tableOf([
  stored(
    'auto',
    { hosts: ['auto.internal'], endpoints: [{ address: '10.0.0.1', ports: { http: 8080 }, weight: 2 }] },
    { 'auto.internal': VIP },
  ),
  stored('wild', { hosts: ['*.wild.internal'], resolution: 'NONE', addresses: ['2001:db8::1'] }),
]);

/** The table with one value of its JSON changed, by a path such as `hosts.0.ttl`. */
function changed(path: string, value: unknown): string {
  const copy = JSON.parse(tableJson(TABLE));
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let at = copy;
  for (const key of keys) at = at[key];
  at[last] = value;
  return JSON.stringify(copy);
}

describe('parseTable', () => {
  it('reads what tableJson writes, as text and as octets', () => {
    const json = tableJson(TABLE);
    expect(parseTable(json)).toEqual({ ok: true, table: TABLE });
    expect(parseTable(Buffer.from(json))).toEqual({ ok: true, table: TABLE });
  });

  it('leaves out fields of a newer server', () => {
    expect(parseTable(changed('hosts.0.colour', 'blue'))).toEqual({ ok: true, table: TABLE });
    expect(parseTable(changed('view.colour', 'blue'))).toEqual({ ok: true, table: TABLE });
  });

  it('refuses every table that is cut off', () => {
    const json = tableJson(TABLE);
    for (let end = 0; end < json.length; end++) expect(parseTable(json.slice(0, end)).ok).toBe(false);
  });

  const auto = 'hosts.1';
  it.each([
    ['schemaVersion', 2, 'schemaVersion'],
    ['view', null, 'view is not an object'],
    ['view.vips', 'yes', 'view is not a view'],
    ['negativeTtl', -1, 'negativeTtl'],
    ['privateZones', ['Internal'], 'privateZones[0]'],
    ['pools.0.ipv4', '240.240.0.0', 'pools[0].ipv4'],
    ['pools.0.ipv6', '10.0.0.0/8', 'pools[0].ipv6'],
    ['hosts', {}, 'hosts is not a list'],
    [`${auto}.host`, 'AUTO.internal', 'hosts[1].host'],
    [`${auto}.host`, '*.wild.internal', 'not in order'],
    [`${auto}.host`, '.', 'hosts[1].host'],
    [`${auto}.owned`, 1, 'hosts[1].owned'],
    [`${auto}.addresses`, ['240.240.1'], 'hosts[1].addresses[0]'],
    [`${auto}.addresses`, ['2001:2::0101'], 'hosts[1].addresses[0]'],
    [`${auto}.vip`, { ipv4: VIP.ipv4 }, 'hosts[1].vip.ipv6'],
    [`${auto}.vip`, { ipv4: VIP.ipv6, ipv6: VIP.ipv4 }, 'families'],
    ['hosts.0.vip', VIP, "another host's"],
    [`${auto}.vip`, { ...VIP, ipv4: '198.51.100.1' }, 'hosts[1].vip is in no pool'],
    [`${auto}.vip`, { ...VIP, ipv6: '2001:db8::1' }, 'hosts[1].vip is in no pool'],
    ['pools', [], 'hosts[1].vip is in no pool'],
    ['pools.0.ipv4', '0.0.0.0/0', 'pools[0].ipv4 is wider than /12'],
    ['pools.0.ipv6', '::/0', 'pools[0].ipv6 is wider than /8'],
    [`${auto}.resolution`, 'MAGIC', 'hosts[1].resolution'],
    [`${auto}.ttl`, 1.5, 'hosts[1].ttl'],
    [`${auto}.ports.0.number`, 65_536, 'hosts[1].ports[0].number'],
    [`${auto}.ports.0.targetPort`, '80', 'hosts[1].ports[0].targetPort'],
    [`${auto}.endpoints.0.address`, '10.0.0.1; flush ruleset', 'hosts[1].endpoints[0].address'],
    [`${auto}.endpoints.0.ports`, { http: 8080 }, 'a port of hosts[1].endpoints[0].ports'],
    [`${auto}.endpoints.0.weight`, -1, 'hosts[1].endpoints[0].weight'],
  ])('refuses %s: %j', (path, value, reason) => {
    expect(parseTable(changed(path, value))).toEqual({ ok: false, reason: expect.stringContaining(reason) });
  });

  it.each(['', 'null', '[]', '"text"', '{"__proto__": {}}', '['.repeat(100_000)])('refuses %.20s', (json) => {
    expect(parseTable(json).ok).toBe(false);
  });

  it('refuses octets that are no text, and too many', () => {
    expect(parseTable(Buffer.from([0x22, 0xff, 0x22])).ok).toBe(false);
    expect(parseTable(' '.repeat(MAX_TABLE_OCTETS + 1))).toMatchObject({ reason: expect.stringContaining('over') });
  });

  it('never throws, and takes nothing but tables, whatever value stands anywhere', () => {
    const paths: string[] = [];
    const walk = (value: unknown, path: string[]): void => {
      if (path.length > 0) paths.push(path.join('.'));
      if (typeof value === 'object' && value !== null) {
        for (const [key, below] of Object.entries(value)) walk(below, [...path, key]);
      }
    };
    walk(JSON.parse(tableJson(TABLE)), []);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const read = parseTable(changed(path, value));
        if (read.ok) expect(parseTable(tableJson(read.table as MeshTable))).toEqual(read);
        else expect(read.reason).not.toBe('');
      }),
      { numRuns: 2000 },
    );
  });
});
