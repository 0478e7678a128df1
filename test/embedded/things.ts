import {
  type AttributeValue,
  CreateTableCommand,
  type CreateTableCommandInput,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { type EmbeddedDynamoDb, embeddedClient, openEmbeddedDynamoDb } from '../../src/embedded/embedded-dynamodb.ts';

export type Item = Record<string, AttributeValue>;

export const TableName = 'things';

/** The key of an item in the table `things`. */
export const keyOf = (pk: string, sk = 'x'): { pk: AttributeValue; sk: AttributeValue } => ({
  pk: { S: pk },
  sk: { S: sk },
});

/** The table `things`, with an index by colour. */
export const things = {
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'S' },
    { AttributeName: 'colour', AttributeType: 'S' },
  ],
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: 'byColour',
      KeySchema: [{ AttributeName: 'colour', KeyType: 'HASH' }],
      Projection: { ProjectionType: 'ALL' },
    },
  ],
} satisfies CreateTableCommandInput;

export async function createThings(client: DynamoDBClient): Promise<void> {
  await client.send(new CreateTableCommand(things));
}

/** A database in memory with the table `things`, and a client that meets no faults. */
export async function openThings(
  options: { now?: () => number } = {},
): Promise<{ db: EmbeddedDynamoDb; client: DynamoDBClient }> {
  const db = await openEmbeddedDynamoDb(options);
  const client = embeddedClient(db);
  await createThings(client);
  return { db, client };
}

export async function put(client: DynamoDBClient, item: Item): Promise<void> {
  await client.send(new PutItemCommand({ TableName, Item: item }));
}

export async function get(client: DynamoDBClient, key: Item): Promise<Item | undefined> {
  return (await client.send(new GetItemCommand({ TableName, Key: key, ConsistentRead: true }))).Item;
}

/** What a promise rejects with; fails when it resolves. */
export async function rejectionOf(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: Error) => ({ error }),
  );
  if ('error' in outcome) return outcome.error;
  throw new Error(`resolved with ${JSON.stringify(outcome.value)}`);
}
