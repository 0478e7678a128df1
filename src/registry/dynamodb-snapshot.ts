import { BatchGetItemCommand, type DynamoDBClient, paginateQuery } from '@aws-sdk/client-dynamodb';
import type { Block, KnownBlocks } from '../vip/plan.ts';
import { marshalKey } from './dynamodb-actions.ts';
import { decodeBlock, decodeEntry, decodeHolder, decodeHost, decodeSuffixes, type Item } from './dynamodb-items.ts';
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
  let pending = keys.map(marshalKey) as Item[];
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

/** Full jitter between 10 and 200 ms: contenders that back off alike would meet again. */
export async function pause(attempt: number, signal: AbortSignal, random: () => number = Math.random): Promise<void> {
  const bound = Math.min(200, 10 * 2 ** attempt);
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, random() * bound);
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}

/**
 * What one write has read of the table, and learnt from its failed conditions. Items are kept as they came and
 * decoded on demand, so that the `ALL_OLD` image of a failed condition replaces what had been read.
 */
export class Snapshot implements RegistryView {
  readonly #source: TableClient;
  readonly #poolId: string;
  #items = new Map<string, Item | null>();
  #allBlocks = false;

  constructor(source: TableClient, poolId: string) {
    this.#source = source;
    this.#poolId = poolId;
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
      if (key.startsWith(prefix)) blocks.set(Number(key.slice(prefix.length)), decodeBlock(item));
    }
    return { blocks, complete: this.#allBlocks && poolId === this.#poolId };
  }

  get suffixes(): ReadonlySet<number> {
    return decodeSuffixes(this.#items.get(keyText(SUFFIXES)));
  }

  /** `active`, `draining`, or undefined when the table does not know the pool. */
  get poolState(): string | undefined {
    return this.#items.get(keyText(poolItem(this.#poolId)))?.state?.S;
  }

  /** Reads what a plan asks for, in one round trip (two at once when it asks for every block). */
  async read(intent: { namespace: string; name: string }, reads: Reads, signal: AbortSignal): Promise<void> {
    const keys = [
      ...(reads.entry ? [entryItem(intent.namespace, intent.name), SUFFIXES, poolItem(this.#poolId)] : []),
      ...reads.hosts.map(hostItem),
      ...reads.blocks.map(({ poolId, number }) => blockItem(poolId, number)),
      ...reads.vips.map(({ poolId, slot }) => vipItem(poolId, slot)),
    ];
    const [items] = await Promise.all([
      batchGet(this.#source, keys, true, signal),
      reads.allBlocks ? this.#readAllBlocks(signal) : undefined,
    ]);
    for (const [key, item] of items) this.#items.set(key, item);
  }

  async #readAllBlocks(signal: AbortSignal): Promise<void> {
    const pages = paginateQuery(
      { client: this.#source.client },
      {
        TableName: this.#source.table,
        KeyConditionExpression: 'pk = :pool AND begins_with(sk, :block)',
        ExpressionAttributeValues: { ':pool': { S: poolPartition(this.#poolId) }, ':block': { S: BLOCK_PREFIX } },
        ConsistentRead: true,
      },
      { abortSignal: signal },
    );
    for await (const page of pages) {
      for (const item of page.Items ?? []) {
        this.#items.set(keyText(blockItem(this.#poolId, blockNumber(item.sk?.S ?? ''))), item);
      }
    }
    this.#allBlocks = true;
  }

  /** A condition on this item failed, and this is what stands there. */
  learn(key: ItemKey, item: Item | undefined): void {
    this.#items.set(keyText(key), item ?? null);
  }

  forget(): void {
    this.#items = new Map();
    this.#allBlocks = false;
  }
}
