import { type DynamoDBClient, GetItemCommand, paginateQuery } from '@aws-sdk/client-dynamodb';
import { marshalKey } from './dynamodb-actions.ts';
import { decodeStored, type Item } from './dynamodb-items.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { CHANGES, ENTRIES, entryItem } from './keys.ts';
import type { EntryReader } from './writer.ts';

async function queryAll(
  client: DynamoDBClient,
  table: string,
  pk: string,
  prefix: string,
  signal: AbortSignal,
): Promise<Item[]> {
  const pages = paginateQuery(
    { client },
    {
      TableName: table,
      KeyConditionExpression: prefix === '' ? 'pk = :pk' : 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': { S: pk }, ...(prefix === '' ? {} : { ':prefix': { S: prefix } }) },
      ConsistentRead: true,
    },
    { abortSignal: signal },
  );
  const items: Item[] = [];
  for await (const page of pages) items.push(...(page.Items ?? []));
  return items;
}

/** Commits so far: every commit adds one to one of the counters, so their sum moves with each and never falls. */
const commits = (counters: readonly Item[]): string =>
  String(counters.reduce((sum, counter) => sum + Number(counter.commits?.N ?? 0), 0));

/** Entries read consistently, as an administrator must see them right after a write. */
export function createDynamoDbEntries({ client, table }: TableClient): EntryReader {
  return {
    async get(namespace, name, signal) {
      const command = new GetItemCommand({
        TableName: table,
        Key: marshalKey(entryItem(namespace, name)),
        ConsistentRead: true,
      });
      const { Item } = await client.send(command, { abortSignal: signal });
      return Item && decodeStored(Item)?.entry;
    },
    async list(namespace, signal) {
      // The counters first: a list may then show more than its resourceVersion says, never less.
      const counters = await queryAll(client, table, CHANGES, '', signal);
      const items = await queryAll(client, table, ENTRIES, namespace === undefined ? '' : `${namespace}/`, signal);
      return { items: items.flatMap((item) => decodeStored(item)?.entry ?? []), resourceVersion: commits(counters) };
    },
  };
}
