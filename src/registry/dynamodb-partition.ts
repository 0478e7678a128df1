import { paginateQuery } from '@aws-sdk/client-dynamodb';
import type { Item } from './dynamodb-items.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { marshalKey } from './dynamodb-update.ts';
import type { ItemKey } from './keys.ts';

export interface PartitionRange {
  readonly pk: string;
  /** What the sort keys begin with. */
  readonly prefix?: string;
  /** Only what comes after this item, which need not be there any more. */
  readonly after?: ItemKey;
  /** Items of one read, where fewer than a whole page will do. */
  readonly pageSize?: number;
}

/** The items of one partition in the order of their keys, read consistently, page by page as they are taken. */
export async function* queryPartition(
  { client, table }: TableClient,
  { pk, prefix, after, pageSize }: PartitionRange,
  signal: AbortSignal,
): AsyncGenerator<Item> {
  const pages = paginateQuery(
    { client, ...(after ? { startingToken: marshalKey(after) } : {}), ...(pageSize ? { pageSize } : {}) },
    {
      TableName: table,
      KeyConditionExpression: prefix === undefined ? 'pk = :pk' : 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': { S: pk }, ...(prefix === undefined ? {} : { ':prefix': { S: prefix } }) },
      ConsistentRead: true,
    },
    { abortSignal: signal },
  );
  for await (const page of pages) yield* page.Items ?? [];
}
