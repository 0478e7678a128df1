import dynalite, { type Attributes, type Range, type Table, type Write } from 'dynalite/db/index.js';
import type { LevelStore } from './level-store.ts';
import { serviceError } from './service-error.ts';

/** Limits and delays that dynalite's actions read; state changes of tables take no time. */
export const storeOptions = { createTableMs: 0, updateTableMs: 0, deleteTableMs: 0, maxItemSize: dynalite.MAX_SIZE };

/** dynalite's own layout; its keys are hexadecimal, so no name can reach into another's range. */
export const prefixOf = {
  table: 'table~',
  item: (table: string) => `item-${table}~`,
  index: (kind: string, table: string, index: string) => `index-${kind.toLowerCase()}~${table}~${index}~`,
  tag: (table: string) => `tag-${table}~`,
};

/** The description of a table. Throws ResourceNotFoundException where DynamoDB does. */
export async function readTable(level: LevelStore, name: string, onlyActive = true): Promise<Table> {
  const table = (await level.get(prefixOf.table + name)) as Table | undefined;
  const isUsable = !onlyActive || (table?.TableStatus !== 'CREATING' && table?.TableStatus !== 'DELETING');
  if (table !== undefined && isUsable) return table;
  const which = onlyActive ? '' : `: Table: ${name} not found`;
  throw serviceError('ResourceNotFoundException', `Requested resource not found${which}`);
}

export function writeOfTable(table: Table): Write {
  return { type: 'put', key: prefixOf.table + table.TableName, value: table };
}

export async function readTables(level: LevelStore): Promise<Table[]> {
  const tables: Table[] = [];
  for await (const table of level.values(within(prefixOf.table))) tables.push(table as Table);
  return tables;
}

/** One item by dynalite's key for it. */
export async function readItem(level: LevelStore, table: string, key: string): Promise<Attributes | undefined> {
  return (await level.get(prefixOf.item(table) + key)) as Attributes | undefined;
}

/** The range of a prefix, or a part of it. */
export function within(prefix: string, { gt, gte, lt, lte, ...rest }: Range = {}): Range {
  const lower = gt === undefined ? { gte: prefix + (gte ?? '') } : { gt: prefix + gt };
  const upper = lte === undefined ? { lt: prefix + (lt ?? '\uffff') } : { lte: prefix + lte };
  return { ...rest, ...lower, ...upper };
}
