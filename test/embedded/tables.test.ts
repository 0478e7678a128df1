import {
  DeleteTableCommand,
  DescribeTableCommand,
  ListTablesCommand,
  ListTagsOfResourceCommand,
  ScanCommand,
  TagResourceCommand,
  UpdateTableCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { writeOfTable } from '../../src/embedded/level-layout.ts';
import { openLevelStore } from '../../src/embedded/level-store.ts';
import { finishTableChanges } from '../../src/embedded/tables.ts';
import { createThings, keyOf, openThings, put, rejectionOf, TableName } from './things.ts';

describe('tables', () => {
  it('are ACTIVE, with their indexes, once CreateTable has answered', async () => {
    const { client } = await openThings();
    await waitUntilTableExists({ client, maxWaitTime: 30 }, { TableName });
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    expect(Table?.TableStatus).toBe('ACTIVE');
    expect(Table?.GlobalSecondaryIndexes?.[0]?.IndexStatus).toBe('ACTIVE');
  });

  it('cannot be created twice', async () => {
    const { client } = await openThings();
    expect((await rejectionOf(createThings(client))).name).toBe('ResourceInUseException');
  });

  it('are created once by creators at the same moment', async () => {
    const { client } = await openThings();
    await client.send(new DeleteTableCommand({ TableName }));
    const outcomes = await Promise.allSettled([createThings(client), createThings(client), createThings(client)]);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
  });

  it('are gone with their items once DeleteTable has answered', async () => {
    const { client } = await openThings();
    await put(client, { ...keyOf('a'), colour: { S: 'red' } });
    await client.send(new DeleteTableCommand({ TableName }));
    expect((await client.send(new ListTablesCommand({}))).TableNames).toEqual([]);
    expect((await rejectionOf(put(client, keyOf('a')))).name).toBe('ResourceNotFoundException');
    await createThings(client);
    for (const IndexName of [undefined, 'byColour']) {
      expect((await client.send(new ScanCommand({ TableName, IndexName }))).Items).toEqual([]);
    }
  });
});

describe('UpdateTable', () => {
  it('has changed the table once it has answered', async () => {
    const { client } = await openThings();
    const throughput = { ReadCapacityUnits: 1, WriteCapacityUnits: 2 };
    await client.send(
      new UpdateTableCommand({
        TableName,
        BillingMode: 'PROVISIONED',
        ProvisionedThroughput: throughput,
        GlobalSecondaryIndexUpdates: [{ Update: { IndexName: 'byColour', ProvisionedThroughput: throughput } }],
      }),
    );
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    expect(Table).toMatchObject({ TableStatus: 'ACTIVE', ProvisionedThroughput: throughput });
  });
});

describe('TagResource', () => {
  it('gives a table tags', async () => {
    const { client } = await openThings();
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    const ResourceArn = Table?.TableArn;
    const Tags = [{ Key: 'owner', Value: 'dns' }];
    await client.send(new TagResourceCommand({ ResourceArn, Tags }));
    expect((await client.send(new ListTagsOfResourceCommand({ ResourceArn }))).Tags).toEqual(Tags);
  });
});

describe('finishTableChanges', () => {
  it('completes what a stopped process left halfway', async () => {
    const level = await openLevelStore();
    const index = { IndexName: 'byColour', IndexStatus: 'CREATING' };
    const left = [
      { TableName: 'creating', TableStatus: 'CREATING' as const, GlobalSecondaryIndexes: [index] },
      { TableName: 'deleting', TableStatus: 'DELETING' as const },
      { TableName: 'ready', TableStatus: 'ACTIVE' as const },
    ];
    await level.commit(left.map(writeOfTable));
    await finishTableChanges(level);
    expect(await level.get('table~creating')).toEqual({
      TableName: 'creating',
      TableStatus: 'ACTIVE',
      GlobalSecondaryIndexes: [{ IndexName: 'byColour', IndexStatus: 'ACTIVE' }],
    });
    expect(await level.get('table~deleting')).toBeUndefined();
    expect(await level.get('table~ready')).toEqual({ TableName: 'ready', TableStatus: 'ACTIVE' });
  });
});
