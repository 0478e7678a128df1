import { GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { embeddedClient, openEmbeddedDynamoDb } from '../../src/embedded/embedded-dynamodb.ts';
import { createThings, get, keyOf, openThings, put, TableName } from './things.ts';

describe('openEmbeddedDynamoDb', () => {
  it('counts calls per operation, retries included', async () => {
    const { db, client } = await openThings();
    await put(client, keyOf('a'));
    const lossy = embeddedClient(db, {
      faults: { before: ({ n }) => (n === 1 ? { kind: 'lostConnection' } : undefined) },
    });
    await lossy.send(new GetItemCommand({ TableName, Key: keyOf('a') }));
    expect(Object.fromEntries(db.calls)).toEqual({ CreateTable: 1, PutItem: 1, GetItem: 2 });
  });

  it('keeps databases in memory apart', async () => {
    const [one, other] = await Promise.all([openThings(), openThings()]);
    await put(one.client, keyOf('a'));
    expect(await get(other.client, keyOf('a'))).toBeUndefined();
  });
});

describe('embeddedClient', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('works whatever the AWS settings of its user are', async () => {
    const settings = {
      AWS_PROFILE: 'missing',
      AWS_CONFIG_FILE: '/nonexistent/config',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      AWS_USE_FIPS_ENDPOINT: 'true',
      AWS_USE_DUALSTACK_ENDPOINT: 'yes, please',
      AWS_MAX_ATTEMPTS: 'none',
      AWS_RETRY_MODE: 'never',
      AWS_DEFAULTS_MODE: 'neither',
      AWS_ENABLE_ENDPOINT_DISCOVERY: 'true',
      AWS_ACCOUNT_ID_ENDPOINT_MODE: 'required',
    };
    for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value);
    const client = embeddedClient(await openEmbeddedDynamoDb());
    await createThings(client);
    await put(client, keyOf('a'));
    expect(await get(client, keyOf('a'))).toEqual(keyOf('a'));
  });

  it('outlives the destruction of another client', async () => {
    const { db, client } = await openThings();
    embeddedClient(db).destroy();
    const command = new UpdateItemCommand({ TableName, Key: keyOf('a'), ReturnValues: 'ALL_NEW' });
    expect((await client.send(command)).Attributes).toEqual(keyOf('a'));
  });
});
