import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { get, keyOf, openThings, put, rejectionOf, TableName } from './things.ts';

describe('single writes', () => {
  const old = { ...keyOf('a'), holder: { S: 'me' } };
  const condition = {
    TableName,
    ConditionExpression: 'holder = :other',
    ExpressionAttributeValues: { ':other': { S: 'you' } },
  };
  const commands = {
    PutItem: (rest: object) => new PutItemCommand({ ...condition, Item: keyOf('a'), ...rest }),
    UpdateItem: (rest: object) => new UpdateItemCommand({ ...condition, Key: keyOf('a'), ...rest }),
    DeleteItem: (rest: object) => new DeleteItemCommand({ ...condition, Key: keyOf('a'), ...rest }),
  };

  for (const [name, command] of Object.entries(commands)) {
    it(`${name} returns the item that made its condition fail, when asked to`, async () => {
      const { client } = await openThings();
      await put(client, old);
      const send = (rest: object) => rejectionOf(client.send(command(rest) as PutItemCommand));
      const error = await send({ ReturnValuesOnConditionCheckFailure: 'ALL_OLD' });
      expect(error).toBeInstanceOf(ConditionalCheckFailedException);
      expect((error as ConditionalCheckFailedException).Item).toEqual(old);
      expect((await send({})) as ConditionalCheckFailedException).not.toHaveProperty('Item', expect.anything());
      expect(await get(client, keyOf('a'))).toEqual(old);
    });
  }

  it('of one item are executed one after the other', async () => {
    const { client } = await openThings();
    const increment = () =>
      client.send(
        new UpdateItemCommand({
          TableName,
          Key: keyOf('n'),
          UpdateExpression: 'SET n = if_not_exists(n, :zero) + :one',
          ExpressionAttributeValues: { ':zero': { N: '0' }, ':one': { N: '1' } },
        }),
      );
    await Promise.all(Array.from({ length: 100 }, increment));
    expect((await get(client, keyOf('n')))?.n).toEqual({ N: '100' });
  });

  it('tell what they consumed: one write unit per KB', async () => {
    const { client } = await openThings();
    const { ConsumedCapacity } = await client.send(
      new PutItemCommand({
        TableName,
        Item: { ...keyOf('a'), blob: { B: new Uint8Array(2500) } },
        ReturnConsumedCapacity: 'TOTAL',
      }),
    );
    expect(ConsumedCapacity).toMatchObject({ TableName, CapacityUnits: 3 });
  });
});
