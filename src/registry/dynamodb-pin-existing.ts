import { randomUUID } from 'node:crypto';
import { TransactionCanceledException, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { claimsOf } from '../serviceentry/claims.ts';
import { BLOCK_SLOTS, blockOfSlot, type Pool } from '../vip/pool.ts';
import type { BlockAction } from './action.ts';
import { transactItems } from './dynamodb-actions.ts';
import { unchanged } from './dynamodb-amend.ts';
import { decodeEntry, type Item } from './dynamodb-items.ts';
import { queryPartition } from './dynamodb-partition.ts';
import { pause, type TableClient } from './dynamodb-snapshot.ts';
import { PoolOverlapError } from './errors.ts';
import { ENTRIES, entryItem } from './keys.ts';
import { entriesOf } from './next-transaction.ts';
import { MOST_PINNED_BLOCKS, pinsOf } from './pins.ts';

/** Of one transaction, beside the entry and the change counter. */
const BLOCKS = 90;

/** An entry with addresses of its own inside a pool. */
interface Pinning {
  readonly item: Item;
  readonly namespace: string;
  readonly name: string;
  readonly blocks: readonly BlockAction[];
}

function pinningOf(pool: Pool, item: Item): Pinning | undefined {
  const { slots, blocks: whole } = pinsOf(pool, entriesOf(decodeEntry(item)).flatMap(claimsOf));
  const entry = item.sk?.S ?? '';
  if (whole.size > MOST_PINNED_BLOCKS) {
    const [covered, most] = [whole.size * BLOCK_SLOTS, MOST_PINNED_BLOCKS * BLOCK_SLOTS];
    throw new PoolOverlapError(
      `ServiceEntry ${entry} writes prefixes that cover ${covered} addresses of the setting "pools" (${pool.ipv4}, ` +
        `${pool.ipv6}); at most ${most} can be set aside: change the entry, or choose prefixes apart from it`,
    );
  }
  const numbers = new Set([...[...slots].map(blockOfSlot), ...whole]);
  if (numbers.size === 0) return undefined;
  const blocks = [...numbers].map((number): BlockAction => {
    const inBlock = [...slots].filter((slot) => blockOfSlot(slot) === number);
    const pins = inBlock.map((slot) => ({ kind: 'pin', slot, entry }) as const);
    const block = { on: 'block', poolId: pool.id, number, slots: pins } as const;
    return whole.has(number) ? { ...block, whole: { kind: 'pin', entry } } : block;
  });
  const [namespace = '', name = ''] = entry.split('/');
  return { item, namespace, name, blocks };
}

/**
 * The entries whose own addresses lie in the pool.
 * @throws PoolOverlapError when one of them covers more of it than can be set aside.
 */
export async function pinningsIn(source: TableClient, pool: Pool, signal: AbortSignal): Promise<Pinning[]> {
  const pinnings: Pinning[] = [];
  for await (const item of queryPartition(source, { pk: ENTRIES }, signal)) {
    const pinning = pinningOf(pool, item);
    if (pinning) pinnings.push(pinning);
  }
  return pinnings;
}

async function pin({ client, table }: TableClient, { item, blocks, ...entry }: Pinning, signal: AbortSignal) {
  for (let first = 0; first < blocks.length; first += BLOCKS) {
    const check = unchanged(table, entryItem(entry.namespace, entry.name), item, ['resourceVersion', 'pending']);
    const some = transactItems(blocks.slice(first, first + BLOCKS), entry, table, randomUUID());
    await client.send(new TransactWriteItemsCommand({ TransactItems: [check, ...some] }), { abortSignal: signal });
  }
}

/** Sets aside the addresses that entries have written while they were in no pool, before anything is allocated there. */
export async function pinExisting(source: TableClient, pool: Pool, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      for (const pinning of await pinningsIn(source, pool, signal)) await pin(source, pinning, signal);
      return;
    } catch (error) {
      // Somebody has written one of the entries meanwhile. What is pinned twice is pinned once.
      if (!(error instanceof TransactionCanceledException)) throw error;
      await pause(attempt, signal);
    }
  }
}
