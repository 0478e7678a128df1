import { describe, expect, it } from 'vitest';
import { CommandFailure } from '../../src/cli/failure.ts';
import { usingStore } from '../../src/cli/open-store.ts';

const TABLE = { kind: 'dynamodb', table: 'names' } as const;

const failing = (error: Error) => () => Promise.reject(error);

describe('usingStore', () => {
  it.each([
    [Object.assign(new Error('Requested resource not found'), { name: 'ResourceNotFoundException' }), 'no such table'],
    [new Error('Region is missing'), 'name it with --region or AWS_REGION'],
    [Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), 'nothing listens at its endpoint'],
  ])('tells what is wrong with the table: %s', async (error, reason) => {
    const used = usingStore(TABLE, failing(error));
    await expect(used).rejects.toThrow('cannot use the DynamoDB table "names": ');
    await expect(used).rejects.toThrow(reason);
    await expect(used).rejects.toThrow(CommandFailure);
  });

  it('passes on other faults, and those of another store', async () => {
    const fault = new Error('a fault');
    await expect(usingStore(TABLE, failing(fault))).rejects.toBe(fault);
    const region = new Error('Region is missing');
    await expect(usingStore({ kind: 'memory' }, failing(region))).rejects.toBe(region);
  });
});
