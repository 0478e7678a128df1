import {
  type CancellationReason,
  type DynamoDBClient,
  QueryCommand,
  TransactGetItemsCommand,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  type TransactWriteItemsCommandInput,
} from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { get, type Item, keyOf, openThings, put, rejectionOf, TableName } from './things.ts';

function transact(
  client: DynamoDBClient,
  items: TransactWriteItem[],
  rest: Partial<TransactWriteItemsCommandInput> = {},
) {
  return client.send(new TransactWriteItemsCommand({ TransactItems: items, ...rest }));
}

const create = (pk: string, attributes: Item = {}): TransactWriteItem => ({
  Put: {
    TableName,
    Item: { ...keyOf(pk), ...attributes },
    ConditionExpression: 'attribute_not_exists(pk)',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  },
});

const check = (pk: string): TransactWriteItem => ({
  ConditionCheck: {
    TableName,
    Key: keyOf(pk),
    ConditionExpression: 'attribute_exists(pk)',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  },
});

const remove = (pk: string): TransactWriteItem => ({ Delete: { TableName, Key: keyOf(pk) } });

const add = (pk: string, n: number, atLeast?: number): TransactWriteItem => ({
  Update: {
    TableName,
    Key: keyOf(pk),
    UpdateExpression: 'ADD n :n',
    ...(atLeast !== undefined && { ConditionExpression: 'n >= :min' }),
    ExpressionAttributeValues: {
      ':n': { N: String(n) },
      ...(atLeast !== undefined && { ':min': { N: String(atLeast) } }),
    },
  },
});

async function reasonsOf(promise: Promise<unknown>): Promise<CancellationReason[]> {
  const error = await rejectionOf(promise);
  expect(error).toBeInstanceOf(TransactionCanceledException);
  return (error as TransactionCanceledException).CancellationReasons ?? [];
}

describe('TransactWriteItems', () => {
  it('carries out all four kinds of action together', async () => {
    const { client } = await openThings();
    await put(client, { ...keyOf('checked') });
    await put(client, { ...keyOf('removed') });
    await transact(client, [create('created'), check('checked'), remove('removed'), add('counted', 2)]);
    expect(await get(client, keyOf('created'))).toEqual(keyOf('created'));
    expect(await get(client, keyOf('checked'))).toEqual(keyOf('checked'));
    expect(await get(client, keyOf('removed'))).toBeUndefined();
    expect(await get(client, keyOf('counted'))).toEqual({ ...keyOf('counted'), n: { N: '2' } });
  });

  it('writes nothing when one condition fails, and gives a reason per action with the items asked for', async () => {
    const { client } = await openThings();
    const old = { ...keyOf('taken'), holder: { S: 'me' }, octets: { B: Uint8Array.of(0, 255) } };
    await put(client, old);
    const reasons = await reasonsOf(
      transact(client, [create('fresh'), create('taken'), check('missing'), add('n', 1)]),
    );
    expect(reasons).toEqual([
      { Code: 'None' },
      { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed', Item: old },
      { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed' },
      { Code: 'None' },
    ]);
    expect(await get(client, keyOf('fresh'))).toBeUndefined();
    expect(await get(client, keyOf('n'))).toBeUndefined();
  });

  it('gives no item that was not asked for', async () => {
    const { client } = await openThings();
    await put(client, { ...keyOf('a'), n: { N: '1' } });
    expect(await reasonsOf(transact(client, [add('a', 1, 5)]))).toEqual([
      { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed' },
    ]);
  });

  it('names a bad operand as the reason ValidationError', async () => {
    const { client } = await openThings();
    await put(client, { ...keyOf('a'), n: { S: 'no number' } });
    const [reason] = await reasonsOf(transact(client, [add('a', 1), create('b')]));
    expect(reason).toMatchObject({ Code: 'ValidationError' });
    expect(await get(client, keyOf('b'))).toBeUndefined();
  });

  it('keeps indexes in step', async () => {
    const { client } = await openThings();
    const red = async () =>
      (
        await client.send(
          new QueryCommand({
            TableName,
            IndexName: 'byColour',
            KeyConditionExpression: 'colour = :c',
            ExpressionAttributeValues: { ':c': { S: 'red' } },
          }),
        )
      ).Items;
    await transact(client, [create('a', { colour: { S: 'red' } })]);
    expect(await red()).toHaveLength(1);
    await transact(client, [remove('a'), create('b', { colour: { S: 'blue' } })]);
    expect(await red()).toHaveLength(0);
  });

  it('carries 100 actions', async () => {
    const { client } = await openThings();
    await transact(
      client,
      Array.from({ length: 100 }, (_, i) => create(`item-${i}`)),
    );
    expect(await get(client, keyOf('item-99'))).toBeDefined();
  });

  const big = (pk: string) => create(pk, { blob: { B: new Uint8Array(390_000) } });
  const refused: [string, TransactWriteItem[], Partial<TransactWriteItemsCommandInput>?][] = [
    ['no action at all', []],
    ['101 actions', Array.from({ length: 101 }, (_, i) => create(`item-${i}`))],
    ['two actions on one item', [create('a'), create('a')]],
    ['a check and a write of one item', [check('a'), create('a')]],
    ['an action that is nothing', [{}]],
    ['an action that is two things', [{ ...create('a'), ...remove('b') }]],
    [
      'a check without a condition',
      [{ ConditionCheck: { TableName, Key: keyOf('a'), ConditionExpression: undefined } }],
    ],
    ['an expression that cannot be parsed', [{ Update: { TableName, Key: keyOf('a'), UpdateExpression: 'SET' } }]],
    ['a key that does not fit the table', [{ Delete: { TableName, Key: { pk: { S: 'a' } } } }]],
    ['more than 4 MB', Array.from({ length: 11 }, (_, i) => big(`big-${i}`))],
    ['a token over 36 characters', [create('a')], { ClientRequestToken: 'x'.repeat(37) }],
  ];
  for (const [what, items, rest] of refused) {
    it(`refuses ${what}`, async () => {
      const { client } = await openThings();
      expect(await rejectionOf(transact(client, items, rest))).toMatchObject({ name: 'ValidationException' });
      expect(await get(client, keyOf('a'))).toBeUndefined();
      expect(await get(client, keyOf('big-0'))).toBeUndefined();
    });
  }

  it('refuses a table that does not exist', async () => {
    const { client } = await openThings();
    const elsewhere: TransactWriteItem = { Delete: { TableName: 'nowhere', Key: keyOf('a') } };
    const error = await rejectionOf(transact(client, [create('a'), elsewhere]));
    expect(error.name).toBe('ResourceNotFoundException');
  });

  it('tells what it consumed: two write units per KB of each item', async () => {
    const { client } = await openThings();
    const kilobytes = { text: { S: 'x'.repeat(2500) } };
    const { ConsumedCapacity } = await transact(client, [create('a', kilobytes), create('b'), remove('c')], {
      ReturnConsumedCapacity: 'TOTAL',
    });
    expect(ConsumedCapacity).toEqual([{ TableName, CapacityUnits: 10, WriteCapacityUnits: 10 }]);
  });
});

describe('ClientRequestToken', () => {
  it('makes a repeat of a transaction succeed without repeating it', async () => {
    const { client } = await openThings();
    for (let i = 0; i < 3; i++) await transact(client, [add('a', 1)], { ClientRequestToken: 'one' });
    expect((await get(client, keyOf('a')))?.n).toEqual({ N: '1' });
  });

  it('refuses other parameters under the same token', async () => {
    const { client } = await openThings();
    await transact(client, [add('a', 1)], { ClientRequestToken: 'one' });
    const error = await rejectionOf(transact(client, [add('a', 2)], { ClientRequestToken: 'one' }));
    expect(error.name).toBe('IdempotentParameterMismatchException');
  });

  it('lets a cancelled transaction be tried again', async () => {
    const { client } = await openThings();
    await reasonsOf(transact(client, [add('a', 1, 0)], { ClientRequestToken: 'one' }));
    await put(client, { ...keyOf('a'), n: { N: '1' } });
    await transact(client, [add('a', 1, 0)], { ClientRequestToken: 'one' });
    expect((await get(client, keyOf('a')))?.n).toEqual({ N: '2' });
  });

  it('is forgotten after ten minutes', async () => {
    let nowMs = 1_000;
    const { client } = await openThings({ now: () => nowMs });
    await transact(client, [add('a', 1)], { ClientRequestToken: 'one' });
    nowMs += 599_000;
    await transact(client, [add('a', 1)], { ClientRequestToken: 'one' });
    expect((await get(client, keyOf('a')))?.n).toEqual({ N: '1' });
    nowMs += 2_000;
    await transact(client, [add('a', 1)], { ClientRequestToken: 'one' });
    expect((await get(client, keyOf('a')))?.n).toEqual({ N: '2' });
  });
});

describe('TransactGetItems', () => {
  const read = (pk: string) => ({ Get: { TableName, Key: keyOf(pk) } });

  it('gives one response per item in order, an empty one for a missing item', async () => {
    const { client } = await openThings();
    await put(client, { ...keyOf('b'), n: { N: '1' } });
    const { Responses, ConsumedCapacity } = await client.send(
      new TransactGetItemsCommand({ TransactItems: [read('a'), read('b')], ReturnConsumedCapacity: 'TOTAL' }),
    );
    expect(Responses).toEqual([{}, { Item: { ...keyOf('b'), n: { N: '1' } } }]);
    expect(ConsumedCapacity).toEqual([{ TableName, CapacityUnits: 4, ReadCapacityUnits: 4 }]);
  });

  it('refuses an item named twice', async () => {
    const { client } = await openThings();
    const twice = client.send(new TransactGetItemsCommand({ TransactItems: [read('a'), read('a')] }));
    expect((await rejectionOf(twice)).name).toBe('ValidationException');
  });
});

describe('concurrent transactions', () => {
  const accounts = ['a', 'b', 'c', 'd'];
  const account = fc.constantFrom(...accounts);
  const transfer = fc
    .record({ from: account, to: account, amount: fc.integer({ min: 1, max: 40 }) })
    .filter(({ from, to }) => from !== to);

  it('are serializable: no snapshot is torn, no money is made, no balance goes below zero', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(transfer, { minLength: 1, maxLength: 25 }), async (transfers) => {
        const { client } = await openThings();
        for (const pk of accounts) await put(client, { ...keyOf(pk), n: { N: '50' } });
        const balances = async () => {
          const gets = accounts.map((pk) => ({ Get: { TableName, Key: keyOf(pk) } }));
          const { Responses = [] } = await client.send(new TransactGetItemsCommand({ TransactItems: gets }));
          return Responses.map(({ Item }) => Number(Item?.n?.N));
        };
        const snapshots = await Promise.all(
          transfers.map(async ({ from, to, amount }) => {
            const moved = transact(client, [add(from, -amount, amount), add(to, amount)]);
            await moved.catch(() => reasonsOf(moved));
            return balances();
          }),
        );
        for (const snapshot of snapshots) {
          expect(snapshot.reduce((sum, n) => sum + n, 0)).toBe(200);
          expect(Math.min(...snapshot)).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('let exactly one of many creators of an item win', async () => {
    const { client } = await openThings();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, i) => transact(client, [create('vip'), create(`host-${i}`)])),
    );
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
  });
});
