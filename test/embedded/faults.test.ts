import {
  BatchGetItemCommand,
  type CancellationReason,
  GetItemCommand,
  PutItemCommand,
  type TransactionCanceledException,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { embeddedClient } from '../../src/embedded/embedded-dynamodb.ts';
import type { Call, Fault, Faults } from '../../src/embedded/faults.ts';
import { get, keyOf, openThings, put, rejectionOf, TableName } from './things.ts';

/** A database, a client without faults, and one with them. */
async function withFaults(faults: Faults, maxAttempts = 1) {
  const { db, client } = await openThings();
  return { db, client, faulty: embeddedClient(db, { faults, maxAttempts }) };
}

const once = (fault: Fault) => (call: Call) => (call.n === 1 ? fault : undefined);
const readA = () => new GetItemCommand({ TableName, Key: keyOf('a') });
const putA = () => new PutItemCommand({ TableName, Item: keyOf('a') });
const putAAndB = () =>
  new TransactWriteItemsCommand({
    TransactItems: ['a', 'b'].map((pk) => ({
      Put: { TableName, Item: keyOf(pk), ConditionExpression: 'attribute_not_exists(pk)' },
    })),
  });

/** Whether a promise is still pending after everything that is under way has had its turn. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const late = new Promise((resolve) => setTimeout(resolve, 30, 'late'));
  return (await Promise.race([promise.catch(() => 'rejected'), late])) === 'late';
}

describe('faults before a call is executed', () => {
  const refusals: [Fault, string][] = [
    [{ kind: 'throttled' }, 'ProvisionedThroughputExceededException'],
    [{ kind: 'throttled', exception: 'ThrottlingException' }, 'ThrottlingException'],
    [{ kind: 'throttled', exception: 'RequestLimitExceeded' }, 'RequestLimitExceeded'],
    [{ kind: 'internalError' }, 'InternalServerError'],
    [{ kind: 'conflict' }, 'TransactionConflictException'],
    [{ kind: 'timeout', afterMs: 1 }, 'TimeoutError'],
    [{ kind: 'lostConnection' }, 'Error'],
  ];
  for (const [fault, name] of refusals) {
    it(`${JSON.stringify(fault)} is the SDK's ${name}, and nothing is written`, async () => {
      const { client, faulty } = await withFaults({ before: () => fault });
      expect((await rejectionOf(faulty.send(putA()))).name).toBe(name);
      expect(await get(client, keyOf('a'))).toBeUndefined();
    });
  }

  for (const fault of refusals.map(([fault]) => fault).filter((fault) => fault.kind !== 'conflict')) {
    it(`${JSON.stringify(fault)} is retried by the SDK`, async () => {
      const { client, faulty } = await withFaults({ before: once(fault) }, 3);
      await faulty.send(putA());
      expect(await get(client, keyOf('a'))).toEqual(keyOf('a'));
    });
  }

  const held: CancellationReason = { Code: 'TransactionConflict', Message: 'Transaction is ongoing for the item' };
  for (const [items, reasons] of [
    [undefined, [held, held]],
    [[1], [{ Code: 'None' }, held]],
  ] as const) {
    it(`a conflict on ${items ? `items ${items}` : 'all items'} cancels a transaction, and the SDK does not retry it`, async () => {
      const { db, client, faulty } = await withFaults(
        { before: once({ kind: 'conflict', ...(items && { items }) }) },
        3,
      );
      const error = (await rejectionOf(faulty.send(putAAndB()))) as TransactionCanceledException;
      expect(error.name).toBe('TransactionCanceledException');
      expect(error.CancellationReasons).toEqual(reasons);
      expect(db.calls.get('TransactWriteItems')).toBe(1);
      expect(await get(client, keyOf('a'))).toBeUndefined();
    });
  }

  it('leaves keys of a BatchGetItem unprocessed, with the rest of their request', async () => {
    const { client, faulty } = await withFaults({ before: once({ kind: 'unprocessedKeys', processed: 2 }) });
    const keys = ['a', 'b', 'c', 'd'].map((pk) => keyOf(pk));
    for (const key of keys) await put(client, key);
    const read = { Keys: keys, ConsistentRead: true, ProjectionExpression: 'pk' };
    const first = await faulty.send(new BatchGetItemCommand({ RequestItems: { [TableName]: read } }));
    expect(first.Responses?.[TableName]).toHaveLength(2);
    expect(first.UnprocessedKeys).toEqual({ [TableName]: { ...read, Keys: keys.slice(2) } });
    const second = await faulty.send(new BatchGetItemCommand({ RequestItems: first.UnprocessedKeys }));
    expect(second.Responses?.[TableName]).toHaveLength(2);
    expect(second.UnprocessedKeys).toEqual({});
  });

  it('can leave every key unprocessed', async () => {
    const { faulty } = await withFaults({ before: once({ kind: 'unprocessedKeys', processed: 0 }) });
    const RequestItems = { [TableName]: { Keys: [keyOf('a')] } };
    const { Responses, UnprocessedKeys } = await faulty.send(new BatchGetItemCommand({ RequestItems }));
    expect(Responses).toEqual({});
    expect(UnprocessedKeys).toEqual(RequestItems);
  });
});

describe('faults after a call was executed', () => {
  for (const fault of [
    { kind: 'internalError' },
    { kind: 'lostConnection' },
    { kind: 'timeout', afterMs: 1 },
  ] as const) {
    it(`${JSON.stringify(fault)} hides a write that happened`, async () => {
      const { client, faulty } = await withFaults({ after: () => fault });
      await rejectionOf(faulty.send(putAAndB()));
      expect(await get(client, keyOf('b'))).toEqual(keyOf('b'));
    });

    it(`${JSON.stringify(fault)} is made good by the SDK's repeat of the transaction`, async () => {
      const { db, faulty } = await withFaults({ after: (call) => (call.n === 1 ? fault : undefined) }, 3);
      await faulty.send(putAAndB());
      expect(db.calls.get('TransactWriteItems')).toBe(2);
    });
  }

  it('do not replace an outcome when there is none', async () => {
    const { client, faulty } = await withFaults({ after: () => undefined });
    await put(client, keyOf('a'));
    expect((await rejectionOf(faulty.send(putAAndB()))).name).toBe('TransactionCanceledException');
  });
});

describe('kill', () => {
  it('before: the call is not executed, and no call of the client completes again', async () => {
    const { client, faulty } = await withFaults({ before: once({ kind: 'kill' }) });
    const calls = [faulty.send(putA()), faulty.send(readA())];
    for (const call of calls) expect(await isPending(call)).toBe(true);
    expect(await isPending(faulty.send(readA()))).toBe(true);
    expect(await get(client, keyOf('a'))).toBeUndefined();
  });

  it('after: the call was executed, another client sees it', async () => {
    const { client, faulty } = await withFaults({
      after: ({ operation }) => (operation === 'PutItem' ? { kind: 'kill' } : undefined),
    });
    expect(await isPending(faulty.send(putA()))).toBe(true);
    expect(await isPending(faulty.send(readA()))).toBe(true);
    expect(await get(client, keyOf('a'))).toEqual(keyOf('a'));
  });

  for (const hook of ['before', 'after'] as const) {
    it(`keeps back the answer of a call that was delayed ${hook} its execution`, async () => {
      const gate = Promise.withResolvers<undefined>();
      const { faulty } = await withFaults({
        [hook]: ({ operation }: Call) => (operation === 'PutItem' ? { kind: 'kill' } : gate.promise),
      });
      const read = faulty.send(readA());
      const write = faulty.send(putA());
      expect(await isPending(write)).toBe(true);
      gate.resolve(undefined);
      expect(await isPending(read)).toBe(true);
    });
  }
});

describe('hooks', () => {
  it('see the operation, its input and its number', async () => {
    const seen: Call[] = [];
    const { faulty } = await withFaults({ before: (call) => void seen.push(call) });
    await faulty.send(putA());
    await faulty.send(readA());
    expect(seen).toEqual([
      { operation: 'PutItem', input: { TableName, Item: keyOf('a') }, n: 1 },
      { operation: 'GetItem', input: { TableName, Key: keyOf('a') }, n: 2 },
    ]);
  });

  it('let a test put one writer between two calls of another', async () => {
    const read = Promise.withResolvers<void>();
    const written = Promise.withResolvers<void>();
    const { client, faulty } = await withFaults({
      after: ({ operation }) => {
        if (operation !== 'GetItem') return undefined;
        read.resolve();
        return written.promise.then(() => undefined);
      },
    });
    const readThenWrite = faulty.send(readA()).then(({ Item }) => {
      expect(Item).toBeUndefined();
      return faulty.send(putAAndB());
    });
    await read.promise;
    await put(client, keyOf('a'));
    written.resolve();
    expect((await rejectionOf(readThenWrite)).name).toBe('TransactionCanceledException');
  });

  it('of one client do not touch another', async () => {
    const { client, faulty } = await withFaults({ before: () => ({ kind: 'throttled' }) });
    await rejectionOf(faulty.send(putA()));
    await client.send(putA());
    expect(await get(client, keyOf('a'))).toEqual(keyOf('a'));
  });
});
