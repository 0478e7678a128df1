import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { iamPrincipalCredentials, nobody, principalLookup } from '../../src/http/iam-credentials.ts';
import { adminTokenCredentials, openCredentials } from '../../src/http/local-credentials.ts';
import { tokenCredentials, tokenLookup } from '../../src/http/token-credentials.ts';
import { createDynamoDbPrincipals } from '../../src/registry/dynamodb-principals.ts';
import { RegistryUnavailableError } from '../../src/registry/errors.ts';
import { makeToken } from '../../src/registry/token-format.ts';
import { get, openEndpoint, type TestEndpoint } from '../support/endpoint.ts';
import {
  DEFAULT_VIEW,
  deadline,
  openTestRegistry,
  serviceEntry,
  TABLE,
  type TestRegistry,
} from '../support/registry.ts';

const CACHE_MS = 5_000;

let registry: TestRegistry;
let endpoint: TestEndpoint;
beforeEach(async () => {
  registry = await openTestRegistry();
  endpoint = openEndpoint(registry, CACHE_MS);
  await registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }));
  await registry.apply(
    serviceEntry('theirs', { hosts: ['theirs.internal'], exportTo: ['.'] }, { namespace: 'team-a' }),
  );
});
afterEach(() => registry.db.close());

const ask = (path: string, headers: Record<string, string> = {}) =>
  get(endpoint.transaction, `${path}?name=theirs.internal&type=A`, headers);
const statusIn = (body: Buffer) => JSON.parse(body.toString()).Status;
const reads = () => registry.db.calls.get('GetItem') ?? 0;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const broken = { bySha256: () => Promise.reject(new Error('out of reach')) };

describe('a client token', () => {
  it('names a view, in the path and as bearer token', async () => {
    const ours = await endpoint.addToken();
    const theirs = await endpoint.addToken({ namespace: 'team-a' });
    const inPath = await ask(`/${theirs}/dns-query`);
    expect(statusIn(inPath.body)).toBe(0);
    expect(inPath.headers).toMatchObject({ 'cache-control': 'private, max-age=300', vary: 'Accept' });
    expect(statusIn((await ask(`/${ours}/dns-query`)).body)).toBe(3);
    const inHeader = await ask('/dns-query', bearer(theirs));
    expect(statusIn(inHeader.body)).toBe(0);
    expect(inHeader.headers.vary).toBe('Accept, Authorization');
  });

  it('may narrow its view, and not widen it', async () => {
    const client = await endpoint.addToken({ vips: false });
    const vm = await endpoint.addToken({ vips: true });
    const answersTo = async (target: string) =>
      JSON.parse((await get(endpoint.transaction, `${target}name=auto.internal`)).body.toString()).Answer?.length ?? 0;
    expect(await answersTo(`/${vm}/dns-query?`)).toBe(1);
    expect(await answersTo(`/${vm}/dns-query?vips=0&`)).toBe(0);
    expect(await answersTo(`/${client}/dns-query?vips=1&`)).toBe(0);
  });

  it('works beside others, and ends alone', async () => {
    const [old, young] = [await endpoint.addToken(), await endpoint.addToken()];
    await ask(`/${old}/dns-query`);
    const [{ id } = { id: '' }] = (await endpoint.tokens.list(deadline())).filter(({ label }) => label === 'test');
    await endpoint.tokens.revoke(id, deadline());
    registry.clock.now += CACHE_MS;
    const statuses = [(await ask(`/${old}/dns-query`)).status, (await ask(`/${young}/dns-query`)).status];
    expect(statuses.sort()).toEqual([200, 404]);
  });

  it('ends with its expiry, also in the middle of what is kept of it', async () => {
    const expiresAt = new Date(registry.clock.now + 1000).toISOString();
    const token = await endpoint.addToken({}, { expiresAt });
    expect((await ask(`/${token}/dns-query`)).status).toBe(200);
    registry.clock.now += 1000;
    expect((await ask(`/${token}/dns-query`)).status).toBe(404);
    expect((await ask('/dns-query', bearer(token))).status).toBe(401);
  });

  it('does not administer', async () => {
    const token = await endpoint.addToken();
    expect(await endpoint.credentials.isAdministrator(`Bearer ${token}`)).toBe(false);
  });
});

describe('what is no token', () => {
  it('is told so in the same octets as a path that does not exist, and costs no read', async () => {
    const answers = await Promise.all(
      ['/nothing', '/x/dns-query', `/${'a'.repeat(42)}/dns-query`, '/mdh_x/v1/table', `/${makeToken()}x/dns-query`].map(
        (path) => ask(path),
      ),
    );
    expect(reads()).toBe(0);
    const unknown = await ask(`/${makeToken()}/dns-query`);
    const unknownTable = await get(endpoint.transaction, `/${makeToken()}/v1/table`);
    expect(unknown.status).toBe(404);
    for (const answer of [...answers, unknownTable]) expect(answer).toEqual(unknown);
  });

  it('costs one read where it could be one, however often it is tried', async () => {
    const guess = makeToken();
    await Promise.all(Array.from({ length: 20 }, () => ask(`/${guess}/dns-query`)));
    await ask(`/${guess}/dns-query`);
    expect(reads()).toBe(1);
  });

  it('is unauthorized in a header', async () => {
    for (const headers of [{}, { authorization: 'Basic eDp5' }, bearer('x'), bearer(makeToken())]) {
      const { status, headers: sent } = await ask('/dns-query', headers);
      expect(status).toBe(401);
      expect(sent['www-authenticate']).toBe('Bearer realm="meshdoh"');
    }
  });
});

describe('an administrator token', () => {
  it('administers and asks as the view of the settings, but not from a path, which is logged', async () => {
    const token = await endpoint.addToken({}, { kind: 'admin' });
    expect(await endpoint.credentials.isAdministrator(`Bearer ${token}`)).toBe(true);
    expect((await ask('/dns-query', bearer(token))).status).toBe(200);
    expect((await ask(`/${token}/dns-query`)).status).toBe(404);
  });

  it('works beside the one of the file, without a read for that', async () => {
    const credentials = tokenCredentials(adminTokenCredentials('from-file', DEFAULT_VIEW), endpoint.lookup);
    expect(await credentials.isAdministrator('Bearer from-file')).toBe(true);
    expect(await credentials.isAdministrator('Bearer other')).toBe(false);
    expect(await credentials.isAdministrator(undefined)).toBe(false);
    expect(reads()).toBe(0);
  });
});

describe('without authentication', () => {
  it('a path token still chooses its view, and a stray header nothing', async () => {
    const token = await endpoint.addToken({ namespace: 'team-a' });
    const { client } = tokenCredentials(openCredentials(DEFAULT_VIEW), endpoint.lookup);
    expect(await client({ pathToken: token }, deadline)).toMatchObject({ view: { namespace: 'team-a' } });
    expect(await client({ authorization: `Bearer ${token}` }, deadline)).toMatchObject({ view: DEFAULT_VIEW });
    expect(await client({ pathToken: 'x' }, deadline)).toEqual({ kind: 'unknownPath' });
  });
});

describe('while the store cannot be read', () => {
  const options = { registryCacheMs: CACHE_MS, staleMaxMs: 3_600_000 };

  it('a token that could be somebody’s is answered 503, and nothing is to be kept', async () => {
    const lookup = tokenLookup(broken, DEFAULT_VIEW, options);
    const credentials = tokenCredentials(nobody, lookup);
    const token = makeToken();
    expect(await credentials.client({ pathToken: token }, deadline)).toEqual({ kind: 'unavailable' });
    expect(await credentials.client({ authorization: `Bearer ${token}` }, deadline)).toEqual({ kind: 'unavailable' });
    await expect(credentials.isAdministrator(`Bearer ${token}`)).rejects.toThrow(RegistryUnavailableError);
    expect(await credentials.client({ pathToken: 'junk' }, deadline)).toEqual({ kind: 'unknownPath' });
  });

  it('a signer whose view is not known does not get another one', async () => {
    const principals = principalLookup({ byArn: () => Promise.reject(new Error()) }, DEFAULT_VIEW, options);
    const { client } = iamPrincipalCredentials(principals, DEFAULT_VIEW);
    const principal = 'arn:aws:sts::123456789012:assumed-role/vm/i-0';
    expect(await client({ principal }, deadline)).toEqual({ kind: 'unavailable' });
  });
});

describe('a signer', () => {
  it('has the view of its role, else that of the settings', async () => {
    const principals = createDynamoDbPrincipals({ client: registry.client, table: TABLE });
    const record = { label: 'vm', view: { namespace: 'team-a' }, createdAt: '2026-11-01T00:00:00Z' };
    await principals.put({ arn: 'arn:aws:iam::123456789012:role/vm', ...record }, deadline());
    const lookup = principalLookup(principals, DEFAULT_VIEW, { registryCacheMs: CACHE_MS, staleMaxMs: 0 });
    const { client } = iamPrincipalCredentials(lookup, DEFAULT_VIEW);
    const viewOf = async (role: string) =>
      client({ principal: `arn:aws:sts::123456789012:assumed-role/${role}/i-0` }, deadline);
    expect(await viewOf('vm')).toEqual({
      kind: 'view',
      view: { ...DEFAULT_VIEW, namespace: 'team-a' },
      chosenBy: 'header',
    });
    expect(await viewOf('other')).toMatchObject({ view: DEFAULT_VIEW });
    expect(await client({}, deadline)).toMatchObject({ view: DEFAULT_VIEW });
    expect(await client({ pathToken: 'x' }, deadline)).toEqual({ kind: 'unknownPath' });
  });
});
