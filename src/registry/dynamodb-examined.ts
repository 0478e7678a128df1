import { TransactGetItemsCommand, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import type { HostClaim } from '../serviceentry/claim.ts';
import { claimsOf } from '../serviceentry/claims.ts';
import type { Block, Tombstone } from '../vip/plan.ts';
import { decodeBlock, decodeEntry, decodeHolder, decodeHost, type Item, ItemFormatError } from './dynamodb-items.ts';
import { decodeFindable, decodeScopes } from './dynamodb-retirement.ts';
import { batchGet, pause, type TableClient } from './dynamodb-snapshot.ts';
import { marshalKey } from './dynamodb-update.ts';
import type { Check, Examined, ExaminedEntry, Finding, VipRecord } from './fsck.ts';
import { itemOfEntry } from './fsck-entry.ts';
import { belowItem, blockItem, hostItem, type ItemKey, keyText, SUFFIXES, vipItem } from './keys.ts';
import { type HostState, NO_HOST } from './state.ts';

export const keyOf = (item: Item): ItemKey => ({ pk: item.pk?.S ?? '', sk: item.sk?.S ?? '' });

export const distinct = (keys: readonly ItemKey[]): ItemKey[] => [
  ...new Map(keys.map((key) => [keyText(key), key])).values(),
];

/** Whatever decoding trips over is the item's fault: what people or other versions write may have any shape. */
function decoded<T>(item: Item, decode: (item: Item) => T): T {
  try {
    return decode(item);
  } catch (cause) {
    if (cause instanceof ItemFormatError) throw cause;
    throw new ItemFormatError(`item ${item.pk?.S}/${item.sk?.S} makes no sense`, { cause });
  }
}

function examinedEntry(item: Item): ExaminedEntry {
  const state = decodeEntry(item);
  const { stored, pending } = state;
  const announced = pending ? [...(pending.entry ? [pending.entry] : []), ...pending.superseded] : [];
  const claims = stored ? claimsOf(stored.entry) : [];
  return {
    ...state,
    claims: new Map(claims.map((claim) => [claim.host, claim])),
    announced: [...(pending ? claims : []), ...announced.flatMap(claimsOf)],
  };
}

const NO_EXAMINED_ENTRY: ExaminedEntry = { claims: new Map(), announced: [] };

const isText = (value: unknown): boolean => typeof value === 'string';

function isWhole({ addresses, cidrs, endpoints, exportTo, ports, createdAt, wantsVip }: HostClaim): boolean {
  const texts = [addresses, cidrs, endpoints, exportTo];
  const listed = texts.every((list) => Array.isArray(list) && list.every(isText));
  return listed && Array.isArray(ports) && isText(createdAt) && typeof wantsVip === 'boolean';
}

function examinedHost(host: string, item: Item): HostState {
  const state = decodeHost(host, item);
  for (const [entry, claim] of state.claims) {
    if (!isWhole(claim)) throw new ItemFormatError(`claim ${entry} on ${host} lacks what every claim has`);
  }
  return state;
}

const previousOf = (item: Item): Tombstone[] =>
  ['holder1', 'holder2', 'holder3'].flatMap((attribute) => {
    const map = item[attribute]?.M;
    return map ? [{ ...decodeHolder({ ...item, ...map }), until: Number(map.until?.N) }] : [];
  });

function decodeVipRecord(item: Item): VipRecord {
  const until = item.until ? { until: Number(item.until.N) } : {};
  if ('until' in until && !Number.isFinite(until.until)) {
    throw new ItemFormatError(`item ${item.pk?.S}/${item.sk?.S} has no number "until"`);
  }
  const { ipv4, ipv6 } = { ipv4: item.ipv4?.S ?? '', ipv6: item.ipv6?.S ?? '' };
  return { ...decodeHolder(item), ...until, ipv4, ipv6, previous: previousOf(item) };
}

/** Items that have been read, decoded as the checks want them, and a note of those that were asked for and are not there. */
export class ExaminedItems implements Examined {
  readonly #items: Map<string, Item | null>;
  readonly #asked = new Map<string, ItemKey>();

  constructor(items: Map<string, Item | null> = new Map()) {
    this.#items = items;
  }

  /** What was asked for, read or not. */
  get asked(): ItemKey[] {
    return [...this.#asked.values()];
  }

  get missing(): ItemKey[] {
    return this.asked.filter((key) => !this.#items.has(keyText(key)));
  }

  /** As it was read. */
  raw(key: ItemKey): Item | null {
    return this.#items.get(keyText(key)) ?? null;
  }

  add(items: Iterable<readonly [string, Item | null]>): void {
    for (const [key, item] of items) this.#items.set(key, item);
  }

  #read<T>(key: ItemKey, absent: T, decode: (item: Item) => T): T | undefined {
    this.#asked.set(keyText(key), key);
    const item = this.#items.get(keyText(key));
    return item ? decoded(item, decode) : item === null ? absent : undefined;
  }

  entry(entry: string): ExaminedEntry | undefined {
    return this.#read(itemOfEntry(entry), NO_EXAMINED_ENTRY, examinedEntry);
  }

  host(host: string): HostState | undefined {
    return this.#read(hostItem(host), NO_HOST, (item) => examinedHost(host, item));
  }

  block(poolId: string, number: number): Block | undefined {
    return this.#read(blockItem(poolId, number), decodeBlock(null), decodeBlock);
  }

  vip(poolId: string, slot: number): VipRecord | null | undefined {
    return this.#read<VipRecord | null>(vipItem(poolId, slot), null, decodeVipRecord);
  }

  suffixes(): ReadonlySet<number> | undefined {
    return this.#read(SUFFIXES, new Set<number>(), decodeFindable);
  }

  scopes(name: string): ReadonlySet<string> | undefined {
    return this.#read(belowItem(name), new Set<string>(), decodeScopes);
  }
}

/** TransactGetItems takes at most this many. */
const MOST_AT_ONCE = 100;

/** One committed state of the items: what disagrees in it is no write that was half seen. */
export async function readTogether(
  { client, table }: TableClient,
  keys: readonly ItemKey[],
  signal: AbortSignal,
): Promise<ExaminedItems> {
  if (keys.length > MOST_AT_ONCE) throw new Error(`${keys.length} items cannot be read together`);
  const gets = keys.map((key) => ({ Get: { TableName: table, Key: marshalKey(key) } }));
  const command = new TransactGetItemsCommand({ TransactItems: gets });
  for (let attempt = 0; ; attempt++) {
    try {
      const { Responses = [] } = await client.send(command, { abortSignal: signal });
      return new ExaminedItems(new Map(keys.map((key, index) => [keyText(key), Responses[index]?.Item ?? null])));
    } catch (error) {
      // A writer's transaction holds one of the items: it is over in a moment.
      if (!(error instanceof TransactionCanceledException) || signal.aborted) throw error;
      await pause(attempt, signal);
    }
  }
}

/** Undefined: an item of it cannot be decoded, which is told of that item. */
function attempt(check: Check, items: Examined): readonly Finding[] | undefined {
  try {
    return check(items);
  } catch (error) {
    if (error instanceof ItemFormatError) return undefined;
    throw error;
  }
}

/** A check that has found something in items that were not read at once. */
export interface Suspect<T> {
  readonly subject: T;
  readonly keys: readonly ItemKey[];
}

/** The checks that find something, with the items they are about; all are read together, in few round trips. */
export async function suspicious<T extends { readonly check: Check }>(
  source: TableClient,
  subjects: readonly T[],
  known: Iterable<readonly [string, Item | null]>,
  signal: AbortSignal,
): Promise<Suspect<T>[]> {
  const views = subjects.map((subject) => ({ subject, items: new ExaminedItems() }));
  const read = new Map(known);
  for (;;) {
    for (const { subject, items } of views) {
      items.add(
        items.missing.flatMap((key) =>
          read.has(keyText(key)) ? [[keyText(key), read.get(keyText(key)) ?? null]] : [],
        ),
      );
      attempt(subject.check, items);
    }
    const missing = new Map(views.flatMap(({ items }) => items.missing.map((key) => [keyText(key), key] as const)));
    const unread = [...missing].flatMap(([text, key]) => (read.has(text) ? [] : [key]));
    if (missing.size === 0) break;
    if (unread.length > 0) for (const [key, item] of await batchGet(source, unread, true, signal)) read.set(key, item);
  }
  return views.flatMap(({ subject, items }) =>
    (attempt(subject.check, items) ?? []).length > 0 ? [{ subject, keys: items.asked }] : [],
  );
}

/** What the check finds on one committed state of all that it asks for. */
export async function confirm(
  source: TableClient,
  check: Check,
  keys: readonly ItemKey[],
  signal: AbortSignal,
): Promise<{ readonly findings: readonly Finding[]; readonly items: ExaminedItems }> {
  for (let wanted = keys; ; ) {
    const items = await readTogether(source, wanted, signal);
    const findings = attempt(check, items) ?? [];
    if (items.missing.length === 0) return { findings, items };
    wanted = distinct([...wanted, ...items.asked]);
  }
}
