import { describe, expect, it } from 'vitest';
import { diffTables } from '../../src/table/diff-tables.ts';
import type { MeshTable } from '../../src/table/mesh-table.ts';
import { parseTable, tableJson } from '../../src/table/parse-table.ts';
import { stored, tableOf, VIP } from './registered.ts';

const entry = (name: string, port = 80) =>
  stored(name, { hosts: [`${name}.internal`], ports: [{ name: 'tcp', number: port, protocol: 'TCP' }] });
const BEFORE = tableOf([entry('a'), entry('b'), entry('c')]);

/** As it comes from a server. */
function received(table: MeshTable): MeshTable {
  const read = parseTable(tableJson(table));
  if (!read.ok) throw new Error(read.reason);
  return read.table;
}

describe('diffTables', () => {
  it('finds nothing where nothing differs', () => {
    expect(diffTables(BEFORE, received(BEFORE))).toEqual({ everything: false, hosts: [] });
  });

  it('names hosts that came, went and changed', () => {
    const after = tableOf([entry('a'), entry('c', 81), entry('d')]);
    const hosts = ['b.internal', 'c.internal', 'd.internal'];
    expect(diffTables(BEFORE, received(after))).toEqual({ everything: false, hosts });
  });

  it('names a host whose VIP is new', () => {
    const after = tableOf([stored('a', { hosts: ['a.internal'] }, { 'a.internal': VIP })]);
    expect(diffTables(tableOf([stored('a', { hosts: ['a.internal'] })]), after).hosts).toEqual(['a.internal']);
  });

  it.each([
    ['the view', { view: { ...BEFORE.view, vips: false } }],
    ['a zone', { privateZones: ['else'] }],
    ['a pool', { pools: [] }],
    ['the TTL of absences', { negativeTtl: 1 }],
  ])('says that %s changes everything', (_, change) => {
    expect(diffTables(BEFORE, { ...BEFORE, ...change })).toEqual({ everything: true, hosts: [] });
  });

  it('says that a first table is all new', () => {
    expect(diffTables(undefined, BEFORE)).toEqual({
      everything: true,
      hosts: ['a.internal', 'b.internal', 'c.internal'],
    });
  });
});
