import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { decodeStored } from './dynamodb-items.ts';
import { queryPartition } from './dynamodb-partition.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { marshalKey } from './dynamodb-update.ts';
import { CHANGES, ENTRIES, entryItem } from './keys.ts';
import type { EntryRange, EntryReader } from './writer.ts';

/** Commits so far: every commit adds one to one of the counters, so their sum moves with each and never falls. */
async function commits(source: TableClient, signal: AbortSignal): Promise<string> {
  let sum = 0;
  for await (const counter of queryPartition(source, { pk: CHANGES }, signal)) sum += Number(counter.commits?.N ?? 0);
  return String(sum);
}

async function* scan(source: TableClient, range: EntryRange, signal: AbortSignal): AsyncGenerator<ServiceEntry> {
  const { namespace, after, pageSize } = range;
  const items = queryPartition(
    source,
    {
      pk: ENTRIES,
      ...(namespace === undefined ? {} : { prefix: `${namespace}/` }),
      ...(after ? { after: entryItem(after.namespace, after.name) } : {}),
      ...(pageSize ? { pageSize } : {}),
    },
    signal,
  );
  for await (const item of items) {
    const stored = decodeStored(item);
    if (stored) yield stored.entry;
  }
}

/** Entries read consistently, as an administrator must see them right after a write. */
export function createDynamoDbEntries(source: TableClient): EntryReader {
  const { client, table } = source;
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
      const resourceVersion = await commits(source, signal);
      const range = namespace === undefined ? {} : { namespace };
      return { items: await Array.fromAsync(scan(source, range, signal)), resourceVersion };
    },
    scan: (range, signal) => scan(source, range, signal),
    resourceVersion: (signal) => commits(source, signal),
  };
}
