/** Run as a process of its own: `node endless-writer.ts <folder>` writes until it is killed. */
import { TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { embeddedClient, openEmbeddedDynamoDb } from '../../src/embedded/embedded-dynamodb.ts';
import { createThings, keyOf, TableName } from './things.ts';

const client = embeddedClient(await openEmbeddedDynamoDb({ folder: String(process.argv[2]) }));
await createThings(client);
for (let n = 1; ; n++) {
  const parts = Array.from({ length: 50 }, (_, i) => ({ Put: { TableName, Item: keyOf(`part-${i}`, String(n)) } }));
  await client.send(new TransactWriteItemsCommand({ TransactItems: parts }));
  process.stdout.write(`${n}\n`);
}
