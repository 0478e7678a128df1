import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Write } from 'dynalite/db/index.js';
import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/embedded/engine.ts';
import { openLevelStore } from '../../src/embedded/level-store.ts';
import { get, keyOf, openThings, put, rejectionOf, TableName, things } from './things.ts';

describe('a write', () => {
  const TransactItems = ['a', 'b', 'c'].map((pk) => ({
    Put: { TableName, Item: { ...keyOf(pk), colour: { S: 'red' } } },
  }));
  const inputs = {
    PutItem: TransactItems[0]?.Put,
    BatchWriteItem: {
      RequestItems: { [TableName]: TransactItems.map(({ Put }) => ({ PutRequest: { Item: Put.Item } })) },
    },
    TransactWriteItems: { TransactItems },
  };
  for (const [operation, input] of Object.entries(inputs)) {
    it(`of ${operation} is one batch, index rows included`, async () => {
      const level = await openLevelStore();
      await new Engine(level, Date.now).execute('CreateTable', things);
      const batches: number[] = [];
      const counted = {
        ...level,
        commit: (writes: readonly Write[]) => {
          batches.push(writes.length);
          return level.commit(writes);
        },
      };
      await new Engine(counted, Date.now).execute(operation, { ...input });
      expect(batches).toEqual([operation === 'PutItem' ? 2 : 6]);
    });
  }
});

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
