import { type AttributeValue, QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import type { Pool } from '../vip/pool.ts';
import { keyOf } from './dynamodb-examined.ts';
import type { Item } from './dynamodb-items.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { marshalKey } from './dynamodb-update.ts';
import type { FsckPosition } from './fsck-token.ts';
import { ENTRIES, type ItemKey, poolPartition, SUFFIXES } from './keys.ts';

const PAGE_ITEMS = 500;

export interface Page {
  readonly items: readonly Item[];
  /** Absent at the end of the phase, or of the pool. */
  readonly last: ItemKey | undefined;
}

/** The partition that the phase is about; the others are about the whole table. */
function partitionOf({ phase }: FsckPosition, pool: Pool | undefined): string | undefined {
  if (phase === 'entries') return ENTRIES;
  return phase === 'pools' ? poolPartition(pool?.id ?? '') : undefined;
}

const values = (value: string): Record<string, AttributeValue> => ({ ':value': { S: value } });

/** All that the last phase looks at: who may know of names, and the suffix set. */
const FINDABLE = {
  FilterExpression: 'sk = :value OR sk = :suffixes',
  ExpressionAttributeValues: { ...values('below'), ':suffixes': { S: SUFFIXES.sk } },
};

/** The items that come next. */
export async function readPage(
  { client, table }: TableClient,
  position: FsckPosition,
  pool: Pool | undefined,
  signal: AbortSignal,
): Promise<Page> {
  const { phase, after } = position;
  const common = {
    TableName: table,
    ConsistentRead: true,
    Limit: PAGE_ITEMS,
    ...(after ? { ExclusiveStartKey: marshalKey(after) } : {}),
  };
  const pk = partitionOf(position, pool);
  const command =
    pk === undefined
      ? new ScanCommand({ ...common, ...(phase === 'sweep' ? FINDABLE : {}) })
      : new QueryCommand({ ...common, KeyConditionExpression: 'pk = :value', ExpressionAttributeValues: values(pk) });
  const { Items = [], LastEvaluatedKey } = await client.send(command as ScanCommand, { abortSignal: signal });
  return { items: Items, last: LastEvaluatedKey && keyOf(LastEvaluatedKey) };
}
