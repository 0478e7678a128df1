import { hash } from 'node:crypto';
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { TableClient } from './dynamodb-snapshot.ts';
import { CHANGES } from './keys.ts';

/** Of a digest: enough that no two states of the counters share it. */
const VERSION_LENGTH = 16;

/**
 * Moves with every commit: all change counters in one Query, as they fit into one page by far. Half a read unit, as it
 * need not be consistent.
 */
export async function readVersion({ client, table }: TableClient, signal: AbortSignal): Promise<string> {
  const command = new QueryCommand({
    TableName: table,
    KeyConditionExpression: 'pk = :changes',
    ExpressionAttributeValues: { ':changes': { S: CHANGES } },
  });
  const { Items = [] } = await client.send(command, { abortSignal: signal });
  const counters = Items.map((item) => `${item.sk?.S}=${item.commits?.N}`);
  return hash('sha256', counters.join(), 'base64url').slice(0, VERSION_LENGTH);
}
