import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EdeCode } from '../../src/dns/constants.ts';
import { embeddedClient } from '../../src/embedded/embedded-dynamodb.ts';
import type { Fault } from '../../src/embedded/faults.ts';
import { createDohTransaction } from '../../src/http/doh-transaction.ts';
import { nobody } from '../../src/http/iam-credentials.ts';
import { dohHandler } from '../../src/http/lambda-adapter.ts';
import { adminTokenCredentials, openCredentials } from '../../src/http/local-credentials.ts';
import { TableCache } from '../../src/http/table-cache.ts';
import { acceptsGzip, createTableTransaction, isHeld, tableTarget } from '../../src/http/table-transaction.ts';
import { tokenCredentials, tokenLookup } from '../../src/http/token-credentials.ts';
import { createDynamoDbTable } from '../../src/registry/dynamodb-table.ts';
import { makeToken } from '../../src/registry/token-format.ts';
import { parseTable } from '../../src/table/parse-table.ts';
import { edeCodesOf, queryWire, rcodeIn } from '../support/dns.ts';
import { ANSWER_SETTINGS, type Answered, get, openEndpoint, POOLS, STALE_MAX_MS } from '../support/endpoint.ts';
import { bodyOf, httpEvent } from '../support/http-event.ts';
import { DEFAULT_VIEW, openTestRegistry, serviceEntry, TABLE, type TestRegistry } from '../support/registry.ts';

const GZIP = { 'accept-encoding': 'gzip, br' };

let registry: TestRegistry;
/** What happens to every read, when something does. */
let fault: Fault | undefined;
/** How many reads that does not happen to. */
let spared = 0;
let tables: TableCache;

beforeEach(async () => {
  registry = await openTestRegistry();
  fault = undefined;
  spared = 0;
  const client = embeddedClient(registry.db, {
    faults: { before: () => (spared-- > 0 ? undefined : fault) },
    maxAttempts: 1,
  });
  tables = new TableCache(createDynamoDbTable({ client, table: TABLE }), {
    settings: { ...ANSWER_SETTINGS, pools: POOLS },
    staleMaxMs: STALE_MAX_MS,
    now: () => registry.clock.now,
  });
  await registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }));
  await registry.apply(
    serviceEntry('theirs', { hosts: ['theirs.internal'], exportTo: ['.'] }, { namespace: 'team-a' }),
  );
});
afterEach(() => registry.db.close());

const transactionFor = (credentials = openCredentials(DEFAULT_VIEW)) =>
  createTableTransaction({ tables, credentials, view: DEFAULT_VIEW, queryTimeoutMs: 1500 });

const ask = (target = '/v1/table', headers: Record<string, string> = {}) => get(transactionFor(), target, headers);

function tableIn({ headers, body }: Answered) {
  const read = parseTable(headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
  if (!read.ok) throw new Error(read.reason);
  return read.table;
}

/** What of the store an action reads, by operation. */
async function readsOf(action: () => Promise<unknown>): Promise<Record<string, number>> {
  const { calls } = registry.db;
  const before = new Map(calls);
  await action();
  const differences = [...calls].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(differences.filter(([, count]) => count > 0));
}

describe('GET /v1/table', () => {
  it('tells a view all that it may see', async () => {
    const answer = await ask();
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(answer.body.length),
      'cache-control': 'private, no-cache',
      vary: 'Accept-Encoding',
      etag: expect.stringMatching(/^W\/"[\w-]{22}"$/),
    });
    expect(answer.headers).not.toHaveProperty('age');
    expect(tableIn(answer)).toMatchObject({ view: DEFAULT_VIEW, pools: [POOLS], hosts: [{ host: 'auto.internal' }] });
  });

  it('is compressed when asked', async () => {
    const [plain, compressed] = [await ask(), await ask('/v1/table', GZIP)];
    expect(compressed.headers['content-encoding']).toBe('gzip');
    expect(tableIn(compressed)).toEqual(tableIn(plain));
    expect(compressed.headers.etag).toBe(plain.headers.etag);
  });

  it('is narrowed as asked, under a tag of its own', async () => {
    const [whole, narrowed] = [await ask(), await ask('/v1/table?vips=0&families=4')];
    expect(tableIn(narrowed)).toMatchObject({ view: { vips: false }, hosts: [{ owned: false, addresses: [] }] });
    expect(narrowed.headers.etag).not.toBe(whole.headers.etag);
  });

  it.each(['?vips=2', '?families=5', '?vip=0', '?namespace=No_Name'])('refuses %s', async (query) => {
    expect((await ask(`/v1/table${query}`)).status).toBe(400);
  });

  it('takes GET and HEAD only', async () => {
    const request = { target: '/v1/table', header: () => undefined, body: new Uint8Array() };
    expect(await transactionFor()({ ...request, method: 'POST' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD' },
    });
    const head = await transactionFor()({ ...request, method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, body: new Uint8Array() });
    expect(head.headers['content-length']).not.toBe('0');
  });
});

describe('a table that is held already', () => {
  it('costs one read, and no body, until something is committed', async () => {
    const { headers } = await ask();
    const held = { 'if-none-match': headers.etag ?? '' };
    const answers: Answered[] = [];
    expect(await readsOf(async () => answers.push(await ask('/v1/table', held)))).toEqual({ Query: 1 });
    expect(answers[0]).toMatchObject({ status: 304, headers: { etag: headers.etag } });
    expect(answers[0]?.body.length).toBe(0);
    await registry.apply(serviceEntry('more', { hosts: ['more.internal'] }));
    const next = await ask('/v1/table', held);
    expect(next.status).toBe(200);
    expect(tableIn(next).hosts).toHaveLength(2);
  });

  it('costs one read for whoever has never asked this process', async () => {
    const { headers } = await ask();
    const fresh = new TableCache(createDynamoDbTable({ client: registry.client, table: TABLE }), {
      settings: { ...ANSWER_SETTINGS, pools: POOLS },
      staleMaxMs: STALE_MAX_MS,
    });
    tables = fresh;
    const held = { 'if-none-match': headers.etag ?? '' };
    expect(await readsOf(async () => expect((await ask('/v1/table', held)).status).toBe(304))).toEqual({ Query: 1 });
  });

  it('costs one read where it is kept here, and is read once for all who ask at the same time', async () => {
    const many = () => Promise.all(Array.from({ length: 10 }, () => ask()));
    expect(await readsOf(many)).toEqual({ Query: 3 });
    expect(await readsOf(() => ask())).toEqual({ Query: 1 });
    expect(await readsOf(() => ask('/v1/table?vips=0'))).toEqual({ Query: 1 });
  });

  it.each([
    ['W/"tag"', true],
    ['"tag"', true],
    ['"x", W/"tag"', true],
    ['*', true],
    ['"tags"', false],
    ['tag', false],
    [undefined, false],
  ])('is told by If-None-Match: %s', (field, held) => {
    expect(isHeld(field, 'tag')).toBe(held);
  });
});

describe('tables of many views', () => {
  it('that are asked for at once are built one after the other', async () => {
    let building = 0;
    let most = 0;
    const hosts: readonly never[] = [];
    const mesh = {
      pools: [],
      get hosts() {
        most = Math.max(most, ++building);
        return hosts;
      },
    };
    const many = new TableCache(
      { version: async () => '1', read: async () => mesh },
      { settings: { ...ANSWER_SETTINGS, pools: POOLS }, staleMaxMs: STALE_MAX_MS },
    );
    const views = Array.from({ length: 20 }, (_, at) => ({ ...DEFAULT_VIEW, namespace: `team-${at}` }));
    const found = await Promise.all(
      views.map(async (view) => {
        const { body } = (await many.find(view, () => false)) ?? {};
        building--;
        return JSON.parse(gunzipSync(body ?? '').toString()).view.namespace;
      }),
    );
    expect(found).toEqual(views.map(({ namespace }) => namespace));
    // One is on its way to whoever asked while the next one is begun.
    expect(most).toBeLessThanOrEqual(2);
  });
});

describe('while the store cannot be read', () => {
  it('the last table is told for a bounded time, with its age', async () => {
    const { headers } = await ask();
    registry.clock.now += 60_000;
    fault = { kind: 'internalError' };
    const stale = await ask();
    expect(stale).toMatchObject({ status: 200, headers: { age: '60', etag: headers.etag } });
    expect(await ask('/v1/table', { 'if-none-match': headers.etag ?? '' })).toMatchObject({
      status: 304,
      headers: { age: '60' },
    });
    registry.clock.now += STALE_MAX_MS;
    expect(await ask()).toMatchObject({ status: 503, headers: { 'retry-after': '1', 'cache-control': 'no-store' } });
    fault = undefined;
    expect((await ask()).headers).not.toHaveProperty('age');
  });

  it('a view that has never asked gets 503', async () => {
    await ask();
    fault = { kind: 'internalError' };
    expect((await ask('/v1/table?vips=0')).status).toBe(503);
  });

  it('the last table is told also where the newer one could not be read', async () => {
    await ask();
    await registry.apply(serviceEntry('more', { hosts: ['more.internal'] }));
    spared = 1;
    fault = { kind: 'throttled' };
    const stale = await ask();
    expect(tableIn(stale).hosts).toHaveLength(1);
    expect(stale.headers.age).toBe('1');
  });

  it('a token that cannot be looked up is told so: SERVFAIL for a query, 503 for the table, and nothing to be kept', async () => {
    const options = { registryCacheMs: 5000, staleMaxMs: 0 };
    const lookup = tokenLookup({ bySha256: () => Promise.reject(new Error()) }, DEFAULT_VIEW, options);
    const credentials = tokenCredentials(nobody, lookup);
    const exchange = { answer: () => ({ malformed: 'not to be asked' }) };
    const doh = createDohTransaction({ exchange, credentials, queryTimeoutMs: 1500 });
    const token = makeToken();
    const query = queryWire('a.internal', 'A', { edns: { udpSize: 1232 } });
    const answer = await get(doh, `/${token}/dns-query?dns=${query.toString('base64url')}`);
    expect(answer).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
    expect(rcodeIn(answer.body)).toBe('SERVFAIL');
    expect(edeCodesOf(answer.body)).toEqual([EdeCode.notReady]);
    expect((await get(doh, `/${token}/dns-query`)).status).toBe(400);
    for (const refused of [
      await get(transactionFor(credentials), `/${token}/v1/table`),
      await get(transactionFor(credentials), '/v1/table?namespace=a', { authorization: `Bearer ${token}` }),
    ]) {
      expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1', 'cache-control': 'no-store' } });
    }
  });
});

describe('who may ask for a table', () => {
  it('is whoever has a token, for its own view', async () => {
    const { transaction, addToken } = openEndpoint(registry);
    const token = await addToken({ namespace: 'team-a' });
    const inPath = await get(transaction, `/${token}/v1/table`);
    expect(tableIn(inPath).hosts.map(({ host }) => host)).toEqual(['auto.internal', 'theirs.internal']);
    const inHeader = await get(transaction, '/v1/table', { authorization: `Bearer ${token}` });
    expect(inHeader.headers.vary).toBe('Accept-Encoding, Authorization');
    expect(inHeader.body).toEqual(inPath.body);
    expect((await get(transaction, '/v1/table')).status).toBe(401);
    const other = await get(transaction, '/v1/table?namespace=default', { authorization: `Bearer ${token}` });
    expect(other.status).toBe(401);
    expect((await get(transaction, `/${token}/v1/table?namespace=default`)).status).toBe(400);
  });

  it('is an administrator, for any namespace', async () => {
    const transaction = transactionFor(adminTokenCredentials('secret', DEFAULT_VIEW));
    const answer = await get(transaction, '/v1/table?namespace=team-a', { authorization: 'Bearer secret' });
    expect(tableIn(answer)).toMatchObject({ view: { namespace: 'team-a' }, hosts: [{}, { host: 'theirs.internal' }] });
    expect((await get(transaction, '/v1/table?namespace=team-a')).status).toBe(401);
  });
});

describe('the table of a function', () => {
  it('is compressed whatever its client takes, and told by IAM route and path token', async () => {
    const { transaction, addToken } = openEndpoint(registry);
    const token = await addToken();
    const handler = dohHandler({ signed: transactionFor() as never, unsigned: transaction });
    for (const content of [{ target: '/iam/v1/table', signed: true }, { target: `/${token}/v1/table` }]) {
      const result = await handler(httpEvent(content));
      expect(result).toMatchObject({ statusCode: 200, isBase64Encoded: true, headers: { 'content-encoding': 'gzip' } });
      expect(parseTable(gunzipSync(bodyOf(result)))).toMatchObject({ ok: true });
    }
  });

  it('knows who has signed', async () => {
    const signers: (string | undefined)[] = [];
    const note = async ({ principal }: { readonly principal?: string }) => {
      signers.push(principal);
      return { status: 204, headers: {}, body: new Uint8Array() };
    };
    const handler = dohHandler({ signed: note, unsigned: note });
    await handler(httpEvent({ signed: true }));
    await handler(httpEvent({ signed: false }));
    expect(signers).toEqual(['arn:aws:sts::123456789012:assumed-role/vm/i-0123456789abcdef0', undefined]);
  });
});

describe('fields and targets', () => {
  it.each([
    ['gzip', true],
    ['br, gzip;q=0.5', true],
    ['*', true],
    ['gzip;q=0', false],
    ['gzip; q=0.0, *', false],
    ['identity', false],
    [undefined, false],
  ])('Accept-Encoding: %s takes gzip: %s', (field, accepts) => {
    expect(acceptsGzip(field)).toBe(accepts);
  });

  it.each([
    ['/v1/table', { pathToken: undefined, query: '' }],
    ['/v1/table?vips=0', { pathToken: undefined, query: 'vips=0' }],
    ['/token-1/v1/table', { pathToken: 'token-1', query: '' }],
    ['/v1/tables', undefined],
    ['/v1/table/', undefined],
    ['/a/b/v1/table', undefined],
    ['/dns-query?x=/v1/table', undefined],
  ])('%s', (target, parsed) => {
    expect(tableTarget(target)).toEqual(parsed);
  });
});
