import {
  CreateTableCommand,
  DescribeTableCommand,
  QueryCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { createPool, type Pool } from '../vip/pool.ts';
import { marshalKey } from './dynamodb-actions.ts';
import type { Item } from './dynamodb-items.ts';
import { pause, type TableClient } from './dynamodb-snapshot.ts';
import { POOLS, poolItem } from './keys.ts';

/** The prefixes of the setting overlap a pool of earlier settings: one address could get two holders. */
export class PoolOverlapError extends Error {
  override readonly name = 'PoolOverlapError';
}

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
  return { active: active && poolOf(active), draining: Items.filter((item) => item !== active).map(poolOf) };
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

function activation(table: string, pool: Pool, known: KnownPools): TransactWriteItem[] {
  const others = known.active && known.active.id !== pool.id ? [known.active] : [];
  return [
    {
      Put: {
        TableName: table,
        Item: {
          ...marshalKey(poolItem(pool.id)),
          ipv4: { S: pool.ipv4 },
          ipv6: { S: pool.ipv6 },
          state: { S: 'active' },
        },
      },
    },
    ...others.map((other) => ({
      Update: {
        TableName: table,
        Key: marshalKey(poolItem(other.id)),
        UpdateExpression: 'SET #state = :draining',
        ConditionExpression: '#state = :active',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: { ':draining': { S: 'draining' }, ':active': { S: 'active' } },
      },
    })),
  ];
}

/**
 * Makes the pool of the settings the table's active one. A changed setting adds a pool: the one before goes on
 * draining, with every VIP it gave. A pool that starts where another does and is longer is the same pool, grown.
 * @throws PoolOverlapError when it would share addresses with another pool.
 */
export async function activatePool(source: TableClient, pool: Pool, signal: AbortSignal): Promise<readonly Pool[]> {
  const known = await readPools(source, signal);
  const draining = [...known.draining, ...(known.active ? [known.active] : [])].filter((other) => other.id !== pool.id);
  const clash = draining.find((other) => overlap(pool, other));
  if (clash) {
    throw new PoolOverlapError(
      `the setting "pools" (${pool.ipv4}, ${pool.ipv6}) overlaps ${clash.ipv4}, ${clash.ipv6}, whose virtual IPs are in use: ` +
        'choose a prefix apart from it, or one that starts at the same address and is longer',
    );
  }
  if (known.active?.id === pool.id && known.active.size === pool.size) return draining;
  const items = activation(source.table, pool, known);
  await source.client.send(new TransactWriteItemsCommand({ TransactItems: items }), { abortSignal: signal });
  return draining;
}
