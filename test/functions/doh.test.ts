import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EdeCode } from '../../src/dns/constants.ts';
import type { HttpHandler } from '../../src/http/lambda-adapter.ts';
import { createDynamoDbPrincipals } from '../../src/registry/dynamodb-principals.ts';
import { createDynamoDbTokens } from '../../src/registry/dynamodb-tokens.ts';
import { makeToken, tokenHash, tokenIdOf } from '../../src/registry/token-format.ts';
import { type Deployment, deploy } from '../support/deployment.ts';
import { answersOf, edeCodesOf, queryWire, rcodeIn } from '../support/dns.ts';
import { bodyOf, type EventContent, httpEvent } from '../support/http-event.ts';
import { deadline, serviceEntry, TABLE } from '../support/registry.ts';

const DOH = new URL('../../functions/doh.ts', import.meta.url).href;
const DNS_MESSAGE = 'application/dns-message';

const target = (qname: string, type = 'A') => `/iam/dns-query?dns=${queryWire(qname, type).toString('base64url')}`;

let deployment: Deployment;
let handler: HttpHandler;
let vip: string | undefined;

beforeAll(async () => {
  deployment = await deploy();
  await deployment.registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }));
  vip = await deployment.registry.vipOf('auto.internal');
  handler = await deployment.start(DOH);
});

afterAll(() => deployment.close());

const ask = (content: EventContent) => handler(httpEvent(content));

describe('a signed query', () => {
  it('by GET is answered from the table', async () => {
    const result = await ask({ target: target('auto.internal'), signed: true });
    expect(result).toMatchObject({ statusCode: 200, isBase64Encoded: true });
    expect(result.headers).toMatchObject({ 'content-type': DNS_MESSAGE, 'cache-control': 'private, max-age=300' });
    expect(answersOf(bodyOf(result))).toEqual([`auto.internal 300 A ${vip}`]);
  });

  it.each([0, 0xfefe])('by POST with id %i is answered octet for octet', async (id) => {
    const headers = { 'content-type': DNS_MESSAGE };
    const body = queryWire('auto.internal', 'A', { id });
    const result = await ask({ method: 'POST', target: '/iam/dns-query', headers, body, signed: true });
    expect(bodyOf(result).readUInt16BE()).toBe(id);
    expect(answersOf(bodyOf(result))).toEqual([`auto.internal 300 A ${vip}`]);
    expect(result.headers['content-length']).toBe(String(bodyOf(result).length));
  });

  it('by HEAD has the header of a GET', async () => {
    const { body, headers } = await ask({ method: 'HEAD', target: target('auto.internal'), signed: true });
    expect(body).toBe('');
    expect(headers['content-type']).toBe(DNS_MESSAGE);
  });

  it('of a person is answered in JSON, as text', async () => {
    const result = await ask({ target: '/iam/dns-query?name=auto.internal', signed: true });
    expect(result.isBase64Encoded).toBe(false);
    expect(JSON.parse(result.body)).toMatchObject({ Status: 0, Answer: [{ data: vip }] });
  });

  it('for a name that is not registered goes to the upstreams of the settings', async () => {
    const result = await ask({ target: '/iam/dns-query?name=www.example.org', signed: true });
    expect(JSON.parse(result.body)).toMatchObject({ Status: 2, Comment: [expect.stringContaining('no upstream')] });
  });
});

describe('without a signature', () => {
  it('nobody may ask', async () => {
    const result = await ask({ target: target('auto.internal').replace('/iam', '') });
    expect(result.statusCode).toBe(401);
    expect(result.headers['www-authenticate']).toContain('Bearer');
  });

  it('a path token, the path of signed queries and a path that does not exist are the same', async () => {
    const paths = ['/sometoken/dns-query', '/iam/dns-query', '/', '/nothing/here', '/apis/networking.istio.io/v1'];
    const results = await Promise.all(paths.map((path) => ask({ target: path })));
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(results[0]).toMatchObject({ statusCode: 404, body: 'not found\n' });
  });

  it('a preflight is answered', async () => {
    const result = await ask({ method: 'OPTIONS' });
    expect(result).toMatchObject({ statusCode: 204, body: '' });
    expect(result.headers['access-control-allow-origin']).toBe('*');
  });
});

describe('with a credential of its own', () => {
  const at = '2026-11-24T00:00:00Z';

  it('a path token of somebody is answered with the view of its owner, and a bearer token too', async () => {
    const token = makeToken();
    const sha256 = tokenHash(token);
    const record = { id: tokenIdOf(sha256), kind: 'client', label: 'a', view: { vips: false }, createdAt: at } as const;
    await createDynamoDbTokens({ client: deployment.registry.client, table: TABLE }).add(sha256, record, deadline());
    const unsigned = target('auto.internal').replace('/iam', '');
    const inPath = await ask({ target: `/${token}${unsigned}` });
    const inHeader = await ask({ target: unsigned, headers: { authorization: `Bearer ${token}` } });
    for (const result of [inPath, inHeader]) {
      expect(result.statusCode).toBe(200);
      expect(answersOf(bodyOf(result))).toEqual([]);
    }
    const table = await ask({ target: `/${token}/v1/table` });
    expect(table).toMatchObject({ statusCode: 200, isBase64Encoded: true, headers: { 'content-encoding': 'gzip' } });
    expect(JSON.parse(gunzipSync(bodyOf(table)).toString()).view).toMatchObject({ vips: false });
  });

  it('a role is answered with the view that was given to it', async () => {
    const arn = 'arn:aws:iam::123456789012:role/vm';
    const record = { arn, label: 'machines', view: { vips: false }, createdAt: at } as const;
    await createDynamoDbPrincipals({ client: deployment.registry.client, table: TABLE }).put(record, deadline());
    const fresh = await deployment.start(DOH);
    const result = await fresh(httpEvent({ target: target('auto.internal'), signed: true }));
    expect(answersOf(bodyOf(result))).toEqual([]);
    const table = await fresh(httpEvent({ target: '/iam/v1/table', signed: true }));
    expect(JSON.parse(gunzipSync(bodyOf(table)).toString()).view).toMatchObject({ vips: false });
  });
});

describe('an execution environment', () => {
  it('reads the suffix set before its first query', async () => {
    const { calls } = deployment.registry.db;
    const before = calls.get('BatchGetItem') ?? 0;
    const fresh = await deployment.start(DOH);
    expect(calls.get('BatchGetItem')).toBe(before + 1);
    await fresh(httpEvent({ target: target('auto.internal'), signed: true }));
    expect(calls.get('BatchGetItem')).toBe(before + 2);
  });

  it('starts, and says in a SERVFAIL what is wrong, while the table cannot be reached', async () => {
    const cut = await deployment.start(DOH, { MESHDOH_ENDPOINT: 'http://127.0.0.1:1' });
    const dns = queryWire('auto.internal', 'A', { edns: { udpSize: 1232 } }).toString('base64url');
    const result = await cut(httpEvent({ target: `/iam/dns-query?dns=${dns}`, signed: true }));
    expect(result).toMatchObject({ statusCode: 200, headers: { 'cache-control': 'no-store' } });
    expect(rcodeIn(bodyOf(result))).toBe('SERVFAIL');
    expect(edeCodesOf(bodyOf(result))).toEqual([EdeCode.notReady]);
  });

  it('takes its view from the settings', async () => {
    const other = await deployment.start(DOH, { MESHDOH_VIEW: '{"vips": false, "forwardUnknown": false}' });
    const result = await other(httpEvent({ target: target('www.example.org'), signed: true }));
    expect(rcodeIn(bodyOf(result))).toBe('REFUSED');
  });

  it('does not start with settings that are wrong, and names each', async () => {
    const start = deployment.start(DOH, { MESHDOH_TTL: '{"vip": 0}', MESHDOH_QUERY_TIMEOUT: '3' });
    await expect(start).rejects.toThrow(/did you mean MESHDOH_QUERY_TIMEOUT_MS\?\nsetting "ttl\.vip"/);
  });

  it('does not start on a registry of its own', async () => {
    await expect(deployment.start(DOH, { MESHDOH_STORE: 'memory' })).rejects.toThrow('set MESHDOH_STORE to "dynamodb"');
  });
});
