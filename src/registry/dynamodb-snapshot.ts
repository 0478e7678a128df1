import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { BatchGetItemCommand, type DynamoDBClient, paginateQuery } from '@aws-sdk/client-dynamodb';
import type { Block, KnownBlocks } from '../vip/plan.ts';
import { blockCount, type Pool } from '../vip/pool.ts';
import {
  ATTRIBUTE,
  decodeBlock,
  decodeEntry,
  decodeHolder,
  decodeHost,
  decodeSuffixes,
  type Item,
} from './dynamodb-items.ts';
import { marshalKey } from './dynamodb-update.ts';
import {
  BLOCK_PREFIX,
  blockItem,
  entryItem,
  hostItem,
  type ItemKey,
  keyText,
  poolItem,
  poolPartition,
  SUFFIXES,
  vipItem,
} from './keys.ts';
import type { Reads } from './reads.ts';
import { type EntryState, type HostState, NO_ENTRY, NO_HOST, type RegistryView } from './state.ts';

/** BatchGetItem takes at most this many keys. */
const BATCH = 100;
/** Blocks of one Query: a page holds 1 MB, and a block of nothing but tombstones some 20 KB. */
const RANGE = 32;

const blockNumber = (sk: string): number => Number(sk.slice(BLOCK_PREFIX.length));

export interface TableClient {
  readonly client: DynamoDBClient;
  readonly table: string;
}

/** Every item asked for, by key; `UnprocessedKeys` are asked again until the signal aborts. */
export async function batchGet(
  { client, table }: TableClient,
  keys: readonly ItemKey[],
  consistent: boolean,
  signal: AbortSignal,
): Promise<Map<string, Item | null>> {
  const found = new Map<string, Item | null>(keys.map((key) => [keyText(key), null]));
  const distinct = new Map(keys.map((key) => [keyText(key), key]));
  let pending = [...distinct.values()].map(marshalKey) as Item[];
  for (let attempt = 0; pending.length > 0; attempt++) {
    const asked = pending.slice(0, BATCH);
    const command = new BatchGetItemCommand({
      RequestItems: { [table]: { Keys: asked, ConsistentRead: consistent } },
    });
    const { Responses, UnprocessedKeys } = await client.send(command, { abortSignal: signal });
    for (const item of Responses?.[table] ?? []) {
      found.set(keyText({ pk: item.pk?.S ?? '', sk: item.sk?.S ?? '' }), item);
    }
    const unprocessed = UnprocessedKeys?.[table]?.Keys ?? [];
    pending = [...unprocessed, ...pending.slice(BATCH)];
    if (unprocessed.length === asked.length) await pause(attempt, signal);
  }
  return found;
}

/** Resolves after that time, or as soon as the signal aborts. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

const sleepFor: Sleep = (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined);

/** Full jitter between 10 and 200 ms: contenders that back off alike would meet again. */
export function pause(attempt: number, signal: AbortSignal, random = Math.random, wait = sleepFor): Promise<void> {
  return wait(random() * Math.min(200, 10 * 2 ** attempt), signal);
}

/**
 * What one write has read of the table, and learnt from its failed conditions. Items are kept as they came and
 * decoded on demand, so that the `ALL_OLD` image of a failed condition replaces what had been read.
 */
export class Snapshot implements RegistryView {
  readonly #source: TableClient;
  readonly #pool: Pool;
  readonly #items = new Map<string, Item | null>();
  /** Which read, or failed condition, each item comes from. */
  readonly #rounds = new Map<string, number>();
  #round = 0;
  /** A plan looks at every block of a full pool, and more than once. */
  readonly #decoded = new WeakMap<Item, Block>();
  #allBlocks = false;

  constructor(source: TableClient, pool: Pool) {
    this.#source = source;
    this.#pool = pool;
  }

  entry(namespace: string, name: string): EntryState | undefined {
    const item = this.#items.get(keyText(entryItem(namespace, name)));
    if (item === undefined) return undefined;
    return item ? decodeEntry(item) : NO_ENTRY;
  }

  host(host: string): HostState | undefined {
    const item = this.#items.get(keyText(hostItem(host)));
    if (item === undefined) return undefined;
    return item ? decodeHost(host, item) : NO_HOST;
  }

  holder(poolId: string, slot: number): { namespace: string; host: string } | null | undefined {
    const item = this.#items.get(keyText(vipItem(poolId, slot)));
    return item ? decodeHolder(item) : item;
  }

  blocks(poolId: string): KnownBlocks {
    const prefix = `${poolPartition(poolId)}\u0000${BLOCK_PREFIX}`;
    const blocks = new Map<number, Block>();
    for (const [key, item] of this.#items) {
      if (key.startsWith(prefix)) blocks.set(Number(key.slice(prefix.length)), this.#block(item));
    }
    return { blocks, complete: this.#allBlocks && poolId === this.#pool.id };
  }

  #block(item: Item | null): Block {
    const block = (item && this.#decoded.get(item)) ?? decodeBlock(item);
    if (item) this.#decoded.set(item, block);
    return block;
  }

  blockRevision(poolId: string, number: number): number {
    return Number(this.#items.get(keyText(blockItem(poolId, number)))?.[ATTRIBUTE.blockRevision]?.N ?? 0);
  }

  isNewer(poolId: string, number: number, host: string): boolean {
    const roundOf = (key: ItemKey) => this.#rounds.get(keyText(key)) ?? 0;
    return roundOf(blockItem(poolId, number)) > roundOf(hostItem(host));
  }

  get suffixes(): ReadonlySet<number> {
    return decodeSuffixes(this.#items.get(keyText(SUFFIXES)));
  }

  /** Members of the suffix set that readers honour still, and writers no more: they take up its space too. */
  get retiringSuffixes(): number {
    return this.#items.get(keyText(SUFFIXES))?.retiring?.NS?.length ?? 0;
  }

  /** What the table says of the pool; undefined when it does not know it. */
  get pool(): { readonly ipv4: string | undefined; readonly isActive: boolean } | undefined {
    const item = this.#items.get(keyText(poolItem(this.#pool.id)));
    return item ? { ipv4: item.ipv4?.S, isActive: item.state?.S === 'active' } : undefined;
  }

  /** Reads what a plan asks for, in one round trip (calls at once when it asks for every block). */
  async read(intent: { namespace: string; name: string }, reads: Reads, signal: AbortSignal): Promise<void> {
    this.#round++;
    const keys = [
      ...(reads.entry ? [entryItem(intent.namespace, intent.name), SUFFIXES, poolItem(this.#pool.id)] : []),
      ...reads.hosts.map(hostItem),
      ...reads.blocks.map(({ poolId, number }) => blockItem(poolId, number)),
      ...reads.vips.map(({ poolId, slot }) => vipItem(poolId, slot)),
    ];
    const [items] = await Promise.all([
      batchGet(this.#source, keys, true, signal),
      reads.allBlocks ? this.#readAllBlocks(signal) : undefined,
    ]);
    for (const [key, item] of items) this.#set(key, item);
  }

  async #readAllBlocks(signal: AbortSignal): Promise<void> {
    const ranges = Math.ceil(blockCount(this.#pool) / RANGE);
    await Promise.all(Array.from({ length: ranges }, (_, range) => this.#readBlocks(range * RANGE, signal)));
    this.#allBlocks = true;
  }

  async #readBlocks(first: number, signal: AbortSignal): Promise<void> {
    const { pk, sk: from } = marshalKey(blockItem(this.#pool.id, first));
    const { sk: to } = marshalKey(blockItem(this.#pool.id, first + RANGE - 1));
    const pages = paginateQuery(
      { client: this.#source.client },
      {
        TableName: this.#source.table,
        KeyConditionExpression: 'pk = :pool AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: { ':pool': pk, ':from': from, ':to': to },
        ConsistentRead: true,
      },
      { abortSignal: signal },
    );
    for await (const page of pages) {
      for (const item of page.Items ?? []) {
        this.#set(keyText(blockItem(this.#pool.id, blockNumber(item.sk?.S ?? ''))), item);
      }
    }
  }

  /** A condition on this item failed, and this is what stands there. Whether that is news. */
  learn(key: ItemKey, item: Item | undefined): boolean {
    const known = this.#items.get(keyText(key));
    this.#round++;
    this.#set(keyText(key), item ?? null);
    return !isDeepStrictEqual(known, item ?? null);
  }

  forget(): void {
    this.#items.clear();
    this.#allBlocks = false;
  }

  #set(key: string, item: Item | null): void {
    this.#items.set(key, item);
    this.#rounds.set(key, this.#round);
  }
}
