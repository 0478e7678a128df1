import { DeleteItemCommand, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { orUnavailable } from './dynamodb-faults.ts';
import type { Item } from './dynamodb-items.ts';
import { queryPartition } from './dynamodb-partition.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { decodeView } from './dynamodb-tokens.ts';
import { PRINCIPALS } from './keys.ts';
import type { PrincipalReader, PrincipalRecord, PrincipalStore } from './principals.ts';

const keyOf = (arn: string) => ({ pk: { S: PRINCIPALS }, sk: { S: arn } });

const decode = (item: Item): PrincipalRecord => ({
  arn: item.sk?.S ?? '',
  label: item.label?.S ?? '',
  view: decodeView(item),
  createdAt: item.createdAt?.S ?? '',
});

/** Principals are the items of one partition by their ARN, so that one Query lists them. */
export function createDynamoDbPrincipals(source: TableClient): PrincipalReader & PrincipalStore {
  const { client, table } = source;

  async function byArn(arn: string, signal: AbortSignal): Promise<PrincipalRecord | undefined> {
    const command = new GetItemCommand({ TableName: table, Key: keyOf(arn), ConsistentRead: true });
    const { Item } = await client.send(command, { abortSignal: signal });
    return Item && decode(Item);
  }

  async function list(signal: AbortSignal): Promise<PrincipalRecord[]> {
    return (await Array.fromAsync(queryPartition(source, { pk: PRINCIPALS }, signal))).map(decode);
  }

  async function put({ arn, label, view, createdAt }: PrincipalRecord, signal: AbortSignal) {
    const command = new UpdateItemCommand({
      TableName: table,
      Key: keyOf(arn),
      UpdateExpression: 'SET #label = :label, #view = :view, #created = if_not_exists(#created, :created)',
      ExpressionAttributeNames: { '#label': 'label', '#view': 'view', '#created': 'createdAt' },
      ExpressionAttributeValues: {
        ':label': { S: label },
        ':view': { S: JSON.stringify(view) },
        ':created': { S: createdAt },
      },
      ReturnValues: 'ALL_OLD',
    });
    const { Attributes: old } = await client.send(command, { abortSignal: signal });
    return {
      record: { arn, label, view, createdAt: old?.createdAt?.S ?? createdAt },
      replaced: old?.createdAt !== undefined,
    };
  }

  async function remove(arn: string, signal: AbortSignal): Promise<boolean> {
    const command = new DeleteItemCommand({ TableName: table, Key: keyOf(arn), ReturnValues: 'ALL_OLD' });
    const { Attributes } = await client.send(command, { abortSignal: signal });
    return Attributes !== undefined;
  }

  return {
    byArn,
    get: (arn, signal) => orUnavailable(byArn(arn, signal)),
    list: (signal) => orUnavailable(list(signal)),
    put: (record, signal) => orUnavailable(put(record, signal)),
    remove: (arn, signal) => orUnavailable(remove(arn, signal)),
  };
}
