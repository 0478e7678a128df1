import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  paginateQuery,
  QueryCommand,
  type QueryCommandInput,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { type Item, keyOf, openThings, put, rejectionOf, TableName } from './things.ts';

async function fill(client: DynamoDBClient, items: readonly Item[]): Promise<void> {
  await Promise.all(items.map((item) => put(client, item)));
}

const numbered = (count: number, attributes: Item = {}): Item[] =>
  Array.from({ length: count }, (_, i) => ({ ...keyOf('p', `s${String(i).padStart(4, '0')}`), ...attributes }));

const sks = (items: readonly Item[] = []) => items.map((item) => item.sk?.S);

describe('Query', () => {
  const query = async (client: DynamoDBClient, rest: Partial<QueryCommandInput>) =>
    client.send(new QueryCommand({ TableName, ConsistentRead: true, KeyConditionExpression: undefined, ...rest }));

  const among = ['a', 'a/', 'a/b', 'a/b/c', 'a~', 'aé', 'b', 'ba'];
  const cases: [string, Partial<QueryCommandInput>, string[]][] = [
    ['all of a partition, in octet order', { KeyConditionExpression: 'pk = :p' }, among],
    [
      'what begins with a prefix',
      { KeyConditionExpression: 'pk = :p AND begins_with(sk, :s)', ExpressionAttributeValues: { ':s': { S: 'a/' } } },
      ['a/', 'a/b', 'a/b/c'],
    ],
    [
      'a range',
      {
        KeyConditionExpression: 'pk = :p AND sk BETWEEN :s AND :t',
        ExpressionAttributeValues: { ':s': { S: 'a/b' }, ':t': { S: 'b' } },
      },
      ['a/b', 'a/b/c', 'a~', 'aé', 'b'],
    ],
    [
      'what comes after a key, backwards',
      {
        KeyConditionExpression: 'pk = :p AND sk > :s',
        ExpressionAttributeValues: { ':s': { S: 'a~' } },
        ScanIndexForward: false,
      },
      ['ba', 'b', 'aé'],
    ],
    [
      'nothing of an empty partition',
      { KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: { ':p': { S: 'q' } } },
      [],
    ],
  ];
  for (const [what, input, expected] of cases) {
    it(`returns ${what}`, async () => {
      const { client } = await openThings();
      await fill(client, [...among.map((sk) => keyOf('p', sk)), keyOf('pp', 'a'), keyOf('o', 'a')]);
      const values = { ':p': { S: 'p' }, ...input.ExpressionAttributeValues };
      const { Items } = await query(client, { ...input, ExpressionAttributeValues: values });
      expect(sks(Items)).toEqual(expected);
    });
  }

  it('pages at 1 MB, and the pages together are everything once', async () => {
    const { client } = await openThings();
    const items = numbered(30, { blob: { B: new Uint8Array(100_000) } });
    await fill(client, items);
    const input = { TableName, KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: { ':p': { S: 'p' } } };
    const pages: Item[][] = [];
    for await (const page of paginateQuery({ client }, input)) pages.push(page.Items ?? []);
    expect(pages.length).toBeGreaterThanOrEqual(3);
    expect(pages[0]?.length).toBe(11);
    expect(sks(pages.flat())).toEqual(sks(items));
  });

  it('pages by Limit in both directions', async () => {
    const { client } = await openThings();
    await fill(client, numbered(7));
    for (const ScanIndexForward of [true, false]) {
      const input = {
        TableName,
        KeyConditionExpression: 'pk = :p',
        ExpressionAttributeValues: { ':p': { S: 'p' } },
        ScanIndexForward,
      };
      const pages: Item[][] = [];
      for await (const page of paginateQuery({ client, pageSize: 3 }, input)) pages.push(page.Items ?? []);
      const found = sks(pages.flat());
      expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
      expect(ScanIndexForward ? found : found.reverse()).toEqual(sks(numbered(7)));
    }
  });

  it('tells what it consumed', async () => {
    const { client } = await openThings();
    await fill(client, numbered(3, { blob: { B: new Uint8Array(3000) } }));
    const { ConsumedCapacity } = await query(client, {
      KeyConditionExpression: 'pk = :p',
      ExpressionAttributeValues: { ':p': { S: 'p' } },
      ReturnConsumedCapacity: 'TOTAL',
    });
    expect(ConsumedCapacity?.CapacityUnits).toBe(3);
  });
});

describe('Scan', () => {
  it('finds every item of its table and of no other', async () => {
    const { client } = await openThings();
    await fill(client, numbered(50));
    const { Items } = await client.send(new ScanCommand({ TableName, FilterExpression: 'attribute_exists(pk)' }));
    expect(sks(Items).sort()).toEqual(sks(numbered(50)));
  });
});

describe('GetItem', () => {
  it('returns what a projection names', async () => {
    const { client } = await openThings();
    await put(client, { ...keyOf('a'), m: { M: { x: { N: '1' }, y: { N: '2' } } }, other: { S: 'z' } });
    const { Item } = await client.send(
      new GetItemCommand({ TableName, Key: keyOf('a'), ProjectionExpression: 'm.y, toString' }),
    );
    expect(Item).toEqual({ m: { M: { y: { N: '2' } } } });
  });
});

describe('BatchGetItem', () => {
  const batch = (client: DynamoDBClient, keys: Item[], rest: object = {}) =>
    client.send(
      new BatchGetItemCommand({ RequestItems: { [TableName]: { Keys: keys, ConsistentRead: true, ...rest } } }),
    );

  it('reads 100 keys at once and leaves the missing ones out', async () => {
    const { client } = await openThings();
    const items = numbered(60);
    await fill(client, items);
    const missing = Array.from({ length: 40 }, (_, i) => keyOf('missing', String(i)));
    const { Responses, UnprocessedKeys } = await batch(client, [...items, ...missing]);
    expect(sks(Responses?.[TableName]).sort()).toEqual(sks(items));
    expect(UnprocessedKeys).toEqual({});
  });

  for (const [what, keys] of [
    ['101 keys', numbered(101)],
    ['one key twice', [keyOf('a'), keyOf('a')]],
    ['no key', []],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { client } = await openThings();
      expect((await rejectionOf(batch(client, [...keys]))).name).toBe('ValidationException');
    });
  }

  it('returns what is too much for one answer as a request that can be sent again as it is', async () => {
    const { client } = await openThings();
    const items = numbered(8, { blob: { B: new Uint8Array(300_000) }, n: { N: '1' } });
    await fill(client, items);
    const found: Item[] = [];
    const projection = { ProjectionExpression: 'sk, #b', ExpressionAttributeNames: { '#b': 'blob' } };
    let { Responses, UnprocessedKeys } = await batch(
      client,
      items.map(({ pk, sk }) => ({ pk, sk }) as Item),
      projection,
    );
    found.push(...(Responses?.[TableName] ?? []));
    expect(found.length).toBeLessThan(8);
    while (Object.keys(UnprocessedKeys ?? {}).length > 0) {
      ({ Responses, UnprocessedKeys } = await client.send(new BatchGetItemCommand({ RequestItems: UnprocessedKeys })));
      found.push(...(Responses?.[TableName] ?? []));
    }
    expect(sks(found).sort()).toEqual(sks(items));
    expect(new Set(found.flatMap((item) => Object.keys(item)))).toEqual(new Set(['sk', 'blob']));
  });
});

describe('BatchWriteItem', () => {
  it('puts and deletes', async () => {
    const { client } = await openThings();
    await put(client, keyOf('a'));
    const requests = [
      { DeleteRequest: { Key: keyOf('a') } },
      { PutRequest: { Item: { ...keyOf('b'), n: { N: '1' } } } },
    ];
    await client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: requests } }));
    const { Items } = await client.send(new ScanCommand({ TableName }));
    expect(Items).toEqual([{ ...keyOf('b'), n: { N: '1' } }]);
  });

  it('refuses two writes of one item', async () => {
    const { client } = await openThings();
    const requests = [{ PutRequest: { Item: keyOf('a') } }, { DeleteRequest: { Key: keyOf('a') } }];
    const twice = client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: requests } }));
    expect((await rejectionOf(twice)).name).toBe('ValidationException');
  });
});
