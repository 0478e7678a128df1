import dynalite, { type Attributes, type Table } from 'dynalite/db/index.js';
import type { ItemLocks } from './item-locks.ts';
import { readTable } from './level-layout.ts';
import type { LevelStore } from './level-store.ts';
import { asServiceError } from './service-error.ts';

/** What writes work on: the data, and the locks that put writers of one item in a row. */
export interface Storage {
  readonly level: LevelStore;
  readonly locks: ItemLocks;
}

/** Names an item by its key, or by the whole item that is to be put. */
export interface ItemRequest {
  readonly TableName: string;
  readonly Key?: Attributes;
  readonly Item?: Attributes;
}

export interface ItemAddress {
  readonly table: string;
  /** dynalite's key within the table. */
  readonly key: string;
  /** Equal exactly for equal items. */
  readonly lock: string;
}

/** Where the items of `requests` are, in order. Throws for unknown tables and for keys that do not fit them. */
export async function addressesOf(level: LevelStore, requests: readonly ItemRequest[]): Promise<ItemAddress[]> {
  const names = [...new Set(requests.map((request) => request.TableName))];
  const tables = new Map(await Promise.all(names.map(async (name) => [name, await readTable(level, name)] as const)));
  return requests.map((request) => addressOf(request, tables.get(request.TableName) as Table));
}

function addressOf({ TableName, Key = {}, Item }: ItemRequest, table: Table): ItemAddress {
  const refusal = Item ? dynalite.validateItem(Item, table) : dynalite.validateKey(Key, table);
  if (refusal) throw asServiceError(refusal) ?? refusal;
  const key = dynalite.createKey(Item ?? Key, table);
  return { table: TableName, key, lock: `${TableName}/${key}` };
}
