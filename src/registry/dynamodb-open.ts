import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DescribeTableCommand,
  QueryCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { createPool, type Pool } from '../vip/pool.ts';
import type { Item } from './dynamodb-items.ts';
import { settleLayout } from './dynamodb-layout.ts';
import { pinExisting, pinningsIn } from './dynamodb-pin-existing.ts';
import { pause, type TableClient } from './dynamodb-snapshot.ts';
import { marshalKey } from './dynamodb-update.ts';
import { PoolOverlapError } from './errors.ts';
import { ACTIVE_POOL, POOLS, poolItem } from './keys.ts';

/** Creates the table where there is none, as development and tests need; a deployed table comes from its template. */
export async function ensureTable({ client, table }: TableClient, signal: AbortSignal): Promise<void> {
  const create = new CreateTableCommand({
    TableName: table,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'S' },
    ],
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
  });
  await client.send(create, { abortSignal: signal }).catch((error: unknown) => {
    if (!(error instanceof ResourceInUseException)) throw error;
  });
  for (let attempt = 0; !(await isActive({ client, table }, signal)); attempt++) await pause(attempt, signal);
}

async function isActive({ client, table }: TableClient, signal: AbortSignal): Promise<boolean> {
  try {
    const { Table } = await client.send(new DescribeTableCommand({ TableName: table }), { abortSignal: signal });
    return Table?.TableStatus === 'ACTIVE';
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return false;
    throw error;
  }
}

export interface KnownPools {
  readonly active: Pool | undefined;
  readonly draining: readonly Pool[];
  /** The active one has just become so, and addresses that entries write in it may not be set aside yet. */
  readonly isUnpinned: boolean;
}

const poolOf = (item: Item): Pool => createPool({ ipv4: item.ipv4?.S ?? '', ipv6: item.ipv6?.S ?? '' });

/** The pools that the table knows. */
export async function readPools({ client, table }: TableClient, signal: AbortSignal): Promise<KnownPools> {
  const command = new QueryCommand({
    TableName: table,
    KeyConditionExpression: 'pk = :pools',
    ExpressionAttributeValues: { ':pools': { S: POOLS } },
    ConsistentRead: true,
  });
  const { Items = [] } = await client.send(command, { abortSignal: signal });
  const active = Items.find((item) => item.state?.S === 'active');
  const draining = Items.filter((item) => item !== active).map(poolOf);
  return { active: active && poolOf(active), draining, isUnpinned: active?.unpinned !== undefined };
}

/** Whether one address of either family lies in both. */
function overlap(a: Pool, b: Pool): boolean {
  const sizeOf = (pool: Pool) => BigInt(pool.size);
  const meets = (x: bigint, xSize: bigint, y: bigint, ySize: bigint) => x < y + ySize && y < x + xSize;
  return (
    meets(BigInt(a.ipv4Base), sizeOf(a), BigInt(b.ipv4Base), sizeOf(b)) ||
    meets(a.ipv6Base, sizeOf(a), b.ipv6Base, sizeOf(b))
  );
}

/**
 * The prefixes of a pool that grows are those that were read: of two processes that let the active one grow differently
 * only one succeeds. Of two that open a new one, the item that names the active pool lets only one through.
 */
function unchanged(before: Pool | undefined): Partial<NonNullable<TransactWriteItem['Put']>> {
  if (!before) return {};
  return {
    ConditionExpression: 'ipv4 = :ipv4 AND ipv6 = :ipv6',
    ExpressionAttributeValues: { ':ipv4': { S: before.ipv4 }, ':ipv6': { S: before.ipv6 } },
  };
}

function activation(
  table: string,
  pool: Pool,
  before: Pool | undefined,
  active: Pool | undefined,
): TransactWriteItem[] {
  const item = {
    ...marshalKey(poolItem(pool.id)),
    ipv4: { S: pool.ipv4 },
    ipv6: { S: pool.ipv6 },
    state: { S: 'active' },
    unpinned: { BOOL: true },
  };
  const drained = active && active.id !== pool.id ? [active] : [];
  return [
    { Put: { TableName: table, Item: item, ...unchanged(before) } },
    ...drained.map(({ id }) => ({
      Update: {
        TableName: table,
        Key: marshalKey(poolItem(id)),
        UpdateExpression: 'SET #state = :draining',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: { ':draining': { S: 'draining' } },
      },
    })),
    // One item that every activation moves: of two that begin at once only one finds the pool that both have read.
    {
      Update: {
        TableName: table,
        Key: marshalKey(ACTIVE_POOL),
        UpdateExpression: 'SET poolId = :pool',
        ConditionExpression: active ? 'poolId = :before' : 'attribute_not_exists(poolId)',
        ExpressionAttributeValues: { ':pool': { S: pool.id }, ...(active ? { ':before': { S: active.id } } : {}) },
      },
    },
  ];
}

/** Why the pool of the settings cannot stand beside those that the table knows, or undefined. */
function clash(pool: Pool, known: readonly Pool[]): string | undefined {
  const itself = known.find(({ id }) => id === pool.id);
  if (itself && (pool.size < itself.size || pool.ipv6Bits > itself.ipv6Bits)) {
    return `the setting "pools" (${pool.ipv4}, ${pool.ipv6}) cuts off a part of ${itself.ipv4}, ${itself.ipv6}, where virtual IPs may be in use: a pool can only grow`;
  }
  const other = known.find((candidate) => candidate.id !== pool.id && overlap(pool, candidate));
  if (!other) return undefined;
  return (
    `the setting "pools" (${pool.ipv4}, ${pool.ipv6}) overlaps ${other.ipv4}, ${other.ipv6}, whose virtual IPs may be in use: ` +
    'choose a prefix apart from it, or one that starts at the same address and is wider'
  );
}

/** Whoever opens the registry meanwhile does the same: nobody allocates from the pool before it is done. */
async function pinAll(source: TableClient, pool: Pool, signal: AbortSignal): Promise<void> {
  await pinExisting(source, pool, signal);
  const done = new UpdateItemCommand({
    TableName: source.table,
    Key: marshalKey(poolItem(pool.id)),
    UpdateExpression: 'REMOVE unpinned',
    ConditionExpression: 'ipv4 = :ipv4 AND ipv6 = :ipv6',
    ExpressionAttributeValues: { ':ipv4': { S: pool.ipv4 }, ':ipv6': { S: pool.ipv6 } },
  });
  await source.client.send(done, { abortSignal: signal }).catch((error: unknown) => {
    // Another process has made it grow, and pins it again.
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
  });
}

const isSame = (a: Pool | undefined, b: Pool): boolean => a?.id === b.id && a.ipv4 === b.ipv4 && a.ipv6 === b.ipv6;

/**
 * Makes the pool of the settings the table's active one, and tells the others. A changed setting adds a pool: the one
 * before goes on draining, with every VIP it gave. A pool that starts where another does and is wider is the same
 * pool, grown. Addresses that entries have written there before are set aside first.
 * @throws PoolOverlapError when it would share addresses with another pool, be narrower than it was, or lie for the most
 * part in what an entry writes.
 */
export async function activatePool(source: TableClient, pool: Pool, signal: AbortSignal): Promise<readonly Pool[]> {
  for (let attempt = 0; ; attempt++) {
    const { active, draining, isUnpinned } = await readPools(source, signal);
    const known = [...(active ? [active] : []), ...draining];
    const problem = clash(pool, known);
    if (problem !== undefined) throw new PoolOverlapError(problem);
    const others = known.filter(({ id }) => id !== pool.id);
    if (isSame(active, pool)) {
      if (isUnpinned) await pinAll(source, pool, signal);
      return others;
    }
    await pinningsIn(source, pool, signal);
    const before = known.find(({ id }) => id === pool.id);
    const items = activation(source.table, pool, before, active);
    try {
      await source.client.send(new TransactWriteItemsCommand({ TransactItems: items }), { abortSignal: signal });
      await pinAll(source, pool, signal);
      return others;
    } catch (error) {
      // Somebody else activated a pool meanwhile: theirs may be ours, or clash with it.
      if (!(error instanceof TransactionCanceledException)) throw error;
      await pause(attempt, signal);
    }
  }
}

/**
 * Prepares the table for a process that writes to it: names findable by the rule of this build, and the pool of its
 * settings the active one. What the table knows of other pools is returned: they are draining.
 * @throws RegistryLayoutError when a newer build has opened the table.
 * @throws PoolOverlapError as `activatePool` does.
 */
export async function openRegistry(source: TableClient, pool: Pool, signal: AbortSignal): Promise<readonly Pool[]> {
  await settleLayout(source, signal);
  return activatePool(source, pool, signal);
}
