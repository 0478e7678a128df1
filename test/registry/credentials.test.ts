import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddedClient } from '../../src/embedded/embedded-dynamodb.ts';
import { ItemFormatError } from '../../src/registry/dynamodb-items.ts';
import { createDynamoDbPrincipals } from '../../src/registry/dynamodb-principals.ts';
import { createDynamoDbTokens } from '../../src/registry/dynamodb-tokens.ts';
import { RegistryUnavailableError } from '../../src/registry/errors.ts';
import { principalArn } from '../../src/registry/principals.ts';
import { makeToken, tokenHash, tokenIdOf } from '../../src/registry/token-format.ts';
import type { TokenRecord } from '../../src/registry/tokens.ts';
import { deadline, openTestRegistry, TABLE, type TestRegistry } from '../support/registry.ts';

let registry: TestRegistry;
beforeAll(async () => {
  registry = await openTestRegistry();
});
afterAll(() => registry.db.close());

const source = () => ({ client: registry.client, table: TABLE });
const brokenSource = () => ({
  client: embeddedClient(registry.db, { faults: { before: () => ({ kind: 'internalError' }) }, maxAttempts: 1 }),
  table: TABLE,
});
const ROLE = 'arn:aws:iam::123456789012:role/vm';

describe('tokens in the table', () => {
  function newToken(more: Partial<TokenRecord> = {}) {
    const sha256 = tokenHash(makeToken());
    const record: TokenRecord = {
      id: tokenIdOf(sha256),
      kind: 'client',
      label: 'a',
      view: { vips: false, searchDomains: ['internal'] },
      createdAt: '2026-11-01T00:00:00Z',
      ...more,
    };
    return { sha256, record };
  }

  it('are found by their hash, listed with one query, and gone when revoked', async () => {
    const tokens = createDynamoDbTokens(source());
    const first = newToken({ createdAt: '2026-11-01T00:00:00Z' });
    const second = newToken({ createdAt: '2026-11-02T00:00:00Z', kind: 'admin', expiresAt: '2027-01-01T00:00:00Z' });
    for (const { sha256, record } of [second, first]) await tokens.add(sha256, record, deadline());
    expect(await tokens.bySha256(first.sha256, deadline())).toEqual(first.record);
    const before = registry.db.calls.get('Query') ?? 0;
    expect(await tokens.list(deadline())).toEqual([first.record, second.record]);
    expect(registry.db.calls.get('Query')).toBe(before + 1);
    expect(await tokens.revoke(first.record.id, deadline())).toBe(first.sha256);
    expect(await tokens.bySha256(first.sha256, deadline())).toBeUndefined();
    expect(await tokens.revoke(first.record.id, deadline())).toBeUndefined();
    expect(await tokens.list(deadline())).toEqual([second.record]);
  });

  it('are not in the table themselves', async () => {
    const tokens = createDynamoDbTokens(source());
    const token = makeToken();
    const sha256 = tokenHash(token);
    await tokens.add(sha256, { ...newToken().record, id: tokenIdOf(sha256) }, deadline());
    expect(JSON.stringify(await tokens.list(deadline()))).not.toContain(token.slice(4));
  });

  it.each(['{', 'null', '{"vips": "yes"}'])('are not taken for others when their view is damaged: %s', async (view) => {
    const tokens = createDynamoDbTokens(source());
    const { sha256, record } = newToken();
    await tokens.add(sha256, record, deadline());
    const Key = { pk: { S: 'tokens' }, sk: { S: sha256 } };
    const damage = { UpdateExpression: 'SET #view = :view', ExpressionAttributeNames: { '#view': 'view' } };
    const ExpressionAttributeValues = { ':view': { S: view } };
    await registry.client.send(new UpdateItemCommand({ TableName: TABLE, Key, ...damage, ExpressionAttributeValues }));
    await expect(tokens.bySha256(sha256, deadline())).rejects.toThrow(ItemFormatError);
    await tokens.revoke(record.id, deadline());
  });

  it('cannot be managed while the store is out of reach', async () => {
    const tokens = createDynamoDbTokens(brokenSource());
    const { sha256, record } = newToken();
    await expect(tokens.list(deadline())).rejects.toThrow(RegistryUnavailableError);
    await expect(tokens.add(sha256, record, deadline())).rejects.toThrow(RegistryUnavailableError);
    await expect(tokens.revoke(record.id, deadline())).rejects.toThrow(RegistryUnavailableError);
  });
});

describe('principals in the table', () => {
  it('are put, replaced, listed and removed', async () => {
    const principals = createDynamoDbPrincipals(source());
    const record = { arn: ROLE, label: 'vm', view: { namespace: 'team-a' }, createdAt: '2026-11-01T00:00:00Z' };
    expect(await principals.put(record, deadline())).toEqual({ record, replaced: false });
    const changed = { ...record, view: {}, createdAt: '2026-11-05T00:00:00Z' };
    const kept = { ...changed, createdAt: record.createdAt };
    expect(await principals.put(changed, deadline())).toEqual({ record: kept, replaced: true });
    expect(await principals.list(deadline())).toEqual([kept]);
    expect(await principals.byArn(ROLE, deadline())).toEqual(kept);
    expect(await principals.remove(ROLE, deadline())).toBe(true);
    expect(await principals.remove(ROLE, deadline())).toBe(false);
    expect(await principals.get(ROLE, deadline())).toBeUndefined();
  });

  it.each([
    ['arn:aws:sts::123456789012:assumed-role/vm/i-0123456789abcdef0', ROLE],
    ['arn:aws:iam::123456789012:role/vm', ROLE],
    ['arn:aws:iam::123456789012:role/some/path/vm', ROLE],
    ['arn:aws-cn:sts::123456789012:assumed-role/vm/me@example.com', 'arn:aws-cn:iam::123456789012:role/vm'],
    ['arn:aws:iam::123456789012:user/people/ann', 'arn:aws:iam::123456789012:user/ann'],
    ['arn:aws:iam::123456789012:root', undefined],
    ['arn:aws:sts::123456789012:assumed-role/vm', undefined],
    ['arn:aws:iam::123456789012:assumed-role/vm/session', undefined],
    ['arn:aws:iam::123456789012:role/', undefined],
    ['arn:aws:iam::1:role/vm', undefined],
    [`arn:aws:iam::123456789012:role/${'a'.repeat(3000)}`, undefined],
    ['', undefined],
  ])('of the signer %.80s are those of %s', (arn, principal) => {
    expect(principalArn(arn)).toBe(principal);
  });
});
