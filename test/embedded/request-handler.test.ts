import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EmbeddedDynamoDb, embeddedClient } from '../../src/embedded/embedded-dynamodb.ts';
import { get, keyOf, openThings, put, rejectionOf, TableName } from './things.ts';

async function post(db: EmbeddedDynamoDb, operation: string, body: string) {
  const headers = { 'x-amz-target': `DynamoDB_20120810.${operation}` };
  const { response } = await db.requestHandler.handle({ headers, body });
  return { status: response.statusCode, body: JSON.parse(new TextDecoder().decode(response.body)) };
}

const nested = (depth: number) => `${'{"M":{"a":'.repeat(depth)}{"S":"x"}${'}}'.repeat(depth)}`;

/** Mostly attribute values, and some other JSON. */
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    { weight: 9, arbitrary: fc.record({ S: fc.string() }) },
    { weight: 9, arbitrary: fc.record({ N: fc.integer().map(String) }) },
    { weight: 4, arbitrary: fc.record({ NS: fc.uniqueArray(fc.integer().map(String), { minLength: 1 }) }) },
    { weight: 4, arbitrary: fc.record({ M: fc.dictionary(fc.constantFrom('a', 'constructor', 'x.y'), tie('value')) }) },
    { weight: 4, arbitrary: fc.record({ L: fc.array(tie('value'), { maxLength: 3 }) }) },
    fc.record({ N: fc.string() }),
    fc.jsonValue({ maxDepth: 1 }),
  ),
}));

/** Fills the operands X and Y of a template. */
const filled = (...templates: string[]) =>
  fc
    .tuple(fc.constantFrom(...templates), operand, operand)
    .map(([text, x, y]) => text.replaceAll('X', x).replaceAll('Y', y));
const operand = fc.constantFrom('pk', 'n', 'm', 'l', 'lost', 'm.a', 'l[0]', '#a', '#a.n', ':a', ':b', 'size(m)');
const condition = filled(
  'X = Y',
  'X < Y',
  'X <> Y',
  'X BETWEEN Y AND Y',
  'X IN (Y, X)',
  'contains(X, Y)',
  'NOT X',
  '(X',
);
const update = filled('SET X = Y', 'SET X = X + Y', 'SET X = list_append(X, Y)', 'ADD X Y', 'DELETE X Y', 'REMOVE X');

const expressions = {
  PutItem: { ConditionExpression: condition },
  UpdateItem: { UpdateExpression: update, ConditionExpression: condition },
  DeleteItem: { ConditionExpression: condition },
  GetItem: { ProjectionExpression: operand },
  Query: { KeyConditionExpression: fc.constantFrom('pk = :a', 'pk = :a AND sk > :b'), FilterExpression: condition },
  Scan: { FilterExpression: condition },
};

/** Input of an operation on items, with the placeholders its expressions use. */
const inputOf = (operation: keyof typeof expressions) =>
  fc
    .record({
      TableName: fc.constantFrom(TableName, TableName, TableName, 'nowhere'),
      Key: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(keyOf('a'), keyOf('b')) }, value),
      Item: fc.record({ pk: fc.constant({ S: 'a' }), sk: fc.constant({ S: 'x' }), n: value, m: value, l: value }),
      values: fc.record({ ':a': value, ':b': value }),
      expressions: fc.record<Record<string, string>>(expressions[operation], { requiredKeys: [] }),
    })
    .map(({ values, expressions, ...rest }) => {
      const text = Object.values(expressions).join();
      const used = Object.entries(values).filter(([name]) => text.includes(name));
      const ExpressionAttributeValues = used.length > 0 ? Object.fromEntries(used) : undefined;
      const ExpressionAttributeNames = text.includes('#a') ? { '#a': 'constructor' } : undefined;
      return { ...rest, ...expressions, ExpressionAttributeNames, ExpressionAttributeValues };
    });

const operations = Object.keys(expressions) as (keyof typeof expressions)[];
const action = fc.oneof(
  fc.record({ Put: inputOf('PutItem') }),
  fc.record({ Update: inputOf('UpdateItem') }),
  fc.record({ ConditionCheck: inputOf('DeleteItem') }),
);
const request = fc.oneof(
  ...operations.map((operation) => fc.tuple(fc.constant(operation as string), inputOf(operation))),
  fc.tuple(fc.constant('TransactWriteItems'), fc.record({ TransactItems: fc.array(action, { maxLength: 2 }) })),
);

describe('malformed requests', () => {
  const cases: [string, string, string][] = [
    ['PutItem', '', 'SerializationException'],
    ['PutItem', '{', 'SerializationException'],
    ['PutItem', 'null', 'SerializationException'],
    ['PutItem', '[]', 'SerializationException'],
    ['PutItem', '"x"', 'SerializationException'],
    ['PutItem', '{}', 'ValidationException'],
    ['PutItem', '{"TableName":7,"Item":{}}', 'SerializationException'],
    ['PutItem', '{"TableName":"things","Item":{"pk":null}}', 'SerializationException'],
    ['PutItem', '{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"S":"b"},"x":{"Q":"?"}}}', 'ValidationException'],
    [
      'PutItem',
      '{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"S":"b"},"x":{"B":"?"}}}',
      'SerializationException',
    ],
    ['PutItem', `{"TableName":"things","Item":{"x":${nested(50_000)}}}`, 'SerializationException'],
    ['GetItem', '{"TableName":"nowhere","Key":{"pk":{"S":"a"}}}', 'ResourceNotFoundException'],
    ['TransactWriteItems', '{}', 'ValidationException'],
    ['TransactWriteItems', '{"TransactItems":{}}', 'SerializationException'],
    ['TransactWriteItems', '{"TransactItems":[null]}', 'ValidationException'],
    ['TransactWriteItems', '{"TransactItems":[{"Put":7}]}', 'SerializationException'],
    ['TransactWriteItems', '{"TransactItems":[{"Put":{}}],"ClientRequestToken":7}', 'ValidationException'],
    [
      'TransactWriteItems',
      `{"TransactItems":[{"Put":{"Item":{"x":${nested(50_000)}}}}],"ClientRequestToken":"t"}`,
      'SerializationException',
    ],
    ['TransactGetItems', '{"TransactItems":[{}]}', 'SerializationException'],
    ['BatchGetItem', '{"RequestItems":{"things":null}}', 'SerializationException'],
    ['BatchWriteItem', '{"RequestItems":{"things":[{}]}}', 'ValidationException'],
    ['toString', '{}', 'UnknownOperationException'],
    ['', '{}', 'UnknownOperationException'],
  ];
  for (const [operation, body, exception] of cases) {
    it(`${operation || 'no operation'} with ${body.slice(0, 90) || 'no body'} is a ${exception}`, async () => {
      const { db } = await openThings();
      const answer = await post(db, operation, body);
      expect(answer.status).toBe(400);
      expect(answer.body.__type.split('#')[1]).toBe(exception);
    });
  }

  it('never crash, hang or reject, whatever they are', async () => {
    const { db } = await openThings();
    await put(embeddedClient(db), { ...keyOf('a'), n: { N: '1' }, m: { M: {} }, l: { L: [] } });
    await fc.assert(
      fc.asyncProperty(request, async ([operation, body]) => {
        const answer = await post(db, operation, JSON.stringify(body));
        expect([200, 400]).toContain(answer.status);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('abortSignal', () => {
  it('of a call that has not begun: AbortError, and nothing is written', async () => {
    const { client } = await openThings();
    const send = client.send(new PutItemCommand({ TableName, Item: keyOf('a') }), { abortSignal: AbortSignal.abort() });
    expect((await rejectionOf(send)).name).toBe('AbortError');
    expect(await get(client, keyOf('a'))).toBeUndefined();
  });

  it('ends a call that is never answered', async () => {
    const { db } = await openThings();
    const faulty = embeddedClient(db, { faults: { before: () => ({ kind: 'timeout' }) } });
    const command = new GetItemCommand({ TableName, Key: keyOf('a') });
    const error = await rejectionOf(faulty.send(command, { abortSignal: AbortSignal.timeout(20) }));
    expect(error.name).toBe('AbortError');
    expect(db.calls.get('GetItem')).toBe(1);
  });

  it('that fires while a hook delays the call leaves it unexecuted', async () => {
    const { db, client } = await openThings();
    const gate = Promise.withResolvers<undefined>();
    const faulty = embeddedClient(db, { faults: { before: () => gate.promise } });
    const abort = new AbortController();
    const send = faulty.send(new PutItemCommand({ TableName, Item: keyOf('a') }), { abortSignal: abort.signal });
    setImmediate(() => abort.abort());
    expect((await rejectionOf(send)).name).toBe('AbortError');
    gate.resolve(undefined);
    await put(client, keyOf('b'));
    expect(await get(client, keyOf('a'))).toBeUndefined();
  });
});
