import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { ItemReads } from '../../src/registry/dynamodb-item-reads.ts';
import { hostItem } from '../../src/registry/keys.ts';
import { Outage } from '../../src/registry/outage.ts';

/** A table that takes every call and answers none. */
function silentTable() {
  const calls: unknown[] = [];
  const send = (command: unknown) => {
    calls.push(command);
    return new Promise(() => undefined);
  };
  const source = { client: { send } as unknown as DynamoDBClient, table: 'silent' };
  const outage = new Outage(Date.now, () => undefined);
  const start = () => ({ readAt: Date.now(), epoch: undefined });
  return { calls, reads: new ItemReads(source, outage, { timeoutMs: 60_000, start, keep: () => undefined }) };
}

const keys = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, index) => hostItem(`${prefix}${index}.internal`));

const LATER = 'later';
const soon = () => new Promise((resolve) => setTimeout(() => resolve(LATER), 20));

describe('reads of a table that falls behind', () => {
  it('are bounded: what would wait for longer than anybody does is not read, and is told so at once', async () => {
    const { calls, reads } = silentTable();
    const first = reads.read(keys(100_000, 'a'));
    expect(await Promise.race([reads.read(keys(1, 'b')), soon()])).toBe(false);
    expect(await Promise.race([first, soon()])).toBe(false);
    expect(calls).toHaveLength(16);
  });

  it('still join those that are under way or waiting', async () => {
    const { reads } = silentTable();
    void reads.read(keys(100_000, 'a'));
    expect(await Promise.race([reads.read(keys(1, 'a')), soon()])).toBe(LATER);
  });
});
