import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminTokenCredentials } from '../../src/http/local-credentials.ts';
import { type OperatorApps, openOperatorApps } from '../support/operator-server.ts';
import { DEFAULT_VIEW } from '../support/registry.ts';
import { ALL, COLLECTION, manifest, openTestApi, type TestApi } from './kubernetes/test-api.ts';

let operators: OperatorApps;
let api: TestApi;
let guarded: TestApi;
beforeAll(async () => {
  operators = await openOperatorApps();
  api = await openTestApi();
  guarded = await openTestApi({ token: 'secret' });
});
afterAll(async () => {
  await operators.registry.db.close();
  await Promise.all([api.close(), guarded.close()]);
});

const NEW_TOKEN = JSON.stringify({ label: 'planted', kind: 'admin' });

describe('a request that a browser sends for a web page', () => {
  it.each<[string, Readonly<Record<string, string>>]>([
    ['of another site', { 'sec-fetch-site': 'cross-site' }],
    ['of another port of this machine', { 'sec-fetch-site': 'same-site' }],
    ['whose origin alone is told', { origin: 'https://page.example' }],
    ['in a frame without an origin', { origin: 'null' }],
  ])('%s makes no token where no credential is asked for', async (_, headers) => {
    const sent = { method: 'POST', headers: { ...headers, 'content-type': 'text/plain' }, body: NEW_TOKEN };
    const answer = await operators.app.request('/v1/tokens', sent);
    expect({ status: answer.status, reason: ((await answer.json()) as { reason: string }).reason }).toEqual({
      status: 403,
      reason: 'Forbidden',
    });
    const list = await operators.app.request('/v1/tokens');
    expect(await list.json()).toEqual({ items: [] });
  });

  it.each([
    ['GET', ALL],
    ['GET', '/apis'],
    ['POST', COLLECTION],
    ['DELETE', COLLECTION],
  ])('is refused for %s %s', async (method, target) => {
    const headers = { origin: 'https://page.example' };
    const body = method === 'POST' ? { body: manifest('auto') } : {};
    expect(await api.send(method, target, { headers, ...body })).toMatchObject({ status: 403 });
  });

  it('is answered when its reader typed the address', async () => {
    expect(await api.send('GET', ALL, { headers: { 'sec-fetch-site': 'none' } })).toMatchObject({ status: 200 });
  });

  it('is judged by its credential where one is asked for: a page has none to send', async () => {
    const headers = { origin: 'https://page.example' };
    expect(await guarded.send('GET', ALL, { headers })).toMatchObject({ status: 401 });
    const withToken = { ...headers, authorization: 'Bearer secret' };
    expect(await guarded.send('GET', ALL, { headers: withToken })).toMatchObject({ status: 200 });
  });
});

describe('an answer for administrators', () => {
  it('is kept by nobody in between', async () => {
    expect((await api.send('GET', ALL)).headers.get('cache-control')).toBe('no-store');
    expect((await api.send('GET', `${ALL}/none`)).headers.get('cache-control')).toBe('no-store');
    expect((await guarded.send('GET', ALL)).headers.get('cache-control')).toBe('no-store');
    const explained = await operators.app.request('/v1/explain?name=auto.internal');
    expect(explained.headers.get('cache-control')).toBe('no-store');
  });

  it.each([
    ['GET', '/v1/explain?name=auto.internal'],
    ['HEAD', '/v1/explain?name=auto.internal'],
    ['GET', '/v1/%65xplain?name=auto.internal'],
    ['GET', '/v1//explain?name=auto.internal'],
    ['GET', '/v1/explain/?name=auto.internal'],
    ['GET', '/token/v1/explain?name=auto.internal'],
  ])('is none for others, however they spell the path (%s %s)', async (method, path) => {
    const { app, registry } = await openOperatorApps({}, adminTokenCredentials('secret', DEFAULT_VIEW));
    const answer = await app.request(path, { method, headers: { authorization: 'Bearer other' } });
    expect([401, 404]).toContain(answer.status);
    expect(await answer.text()).not.toContain('"step"');
    await registry.db.close();
  });
});
