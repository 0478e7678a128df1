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

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.record({ S: fc.string() }),
    fc.record({ N: fc.oneof(fc.integer().map(String), fc.string()) }),
    fc.record({ NS: fc.array(fc.string(), { maxLength: 2 }) }),
    fc.record({ SS: fc.array(fc.string(), { maxLength: 2 }) }),
    fc.record({ M: fc.dictionary(fc.constantFrom('a', 'constructor', 'x.y'), tie('value')) }),
    fc.record({ L: fc.array(tie('value'), { maxLength: 3 }) }),
    fc.jsonValue({ maxDepth: 1 }),
  ),
}));

/** Fills the operands X and Y of a template. */
const filled = (...templates: string[]) =>
  fc
    .tuple(fc.constantFrom(...templates), operand, operand)
    .map(([text, x, y]) => text.replaceAll('X', x).replaceAll('Y', y));
const operand = fc.constantFrom('pk', 'n', 'm', 'l', 'none', 'm.a', 'l[0]', '#a', '#a.n', ':a', ':b', 'size(m)');
const condition = filled('X = Y', 'X < Y', 'X <> Y', 'X BETWEEN Y AND Y', 'X IN (Y, X)', 'contains(X, Y)', 'NOT X', '(X');
const update = filled('SET X = Y', 'SET X = X + Y', 'SET X = list_append(X, Y)', 'ADD X Y', 'DELETE X Y', 'REMOVE X');

const write = fc.record(
  {
    TableName: fc.oneof({ weight: 9, arbitrary: fc.constant(TableName) }, fc.constantFrom('x', 'nowhere', 7)),
    Key: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(keyOf('a'), keyOf('b')) }, value),
    Item: fc.record({ pk: fc.constant({ S: 'a' }), sk: fc.constant({ S: 'x' }), n: value, m: value, l: value }),
    ConditionExpression: condition,
    FilterExpression: condition,
    KeyConditionExpression: fc.constantFrom('pk = :a', 'pk = :a AND sk > :b', 'n = :a'),
    UpdateExpression: update,
    ProjectionExpression: operand,
    ExpressionAttributeNames: fc.constant({ '#a': 'constructor' }),
    ExpressionAttributeValues: fc.record({ ':a': value, ':b': value }, { requiredKeys: [] }),
    ReturnValues: fc.constantFrom('ALL_OLD', 'NONE'),
  },
  { requiredKeys: ['TableName', 'Key', 'Item'] },
);
const action = fc.constantFrom('Put', 'Update', 'Delete', 'ConditionCheck').chain((kind) => fc.record({ [kind]: write }));

const request = fc.oneof(
  fc.tuple(fc.constantFrom('PutItem', 'UpdateItem', 'DeleteItem', 'GetItem', 'Query', 'Scan'), write),
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
globalThis.stat ??= {}; const k=operation+' '+answer.status+' '+(answer.body.message??answer.body.Message??'').slice(0,50); globalThis.stat[k]=(globalThis.stat[k]??0)+1;
        expect([200, 400]).toContain(answer.status);
      }),
      { numRuns: 2000 },
    );
console.log(globalThis.stat)
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
