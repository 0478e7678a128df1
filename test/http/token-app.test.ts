import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adminTokenCredentials } from '../../src/http/local-credentials.ts';
import { isTokenShaped, tokenHash, tokenIdOf } from '../../src/registry/token-format.ts';
import { type OperatorApps, openOperatorApps } from '../support/operator-server.ts';
import { DEFAULT_VIEW } from '../support/registry.ts';

let apps: OperatorApps;
beforeEach(async () => {
  apps = await openOperatorApps();
});
afterEach(async () => {
  await apps.registry.db.close();
  expect(apps.faults).toEqual([]);
});

async function send(method: string, path: string, body?: unknown) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await apps.app.request(path, { method, ...(body === undefined ? {} : { body: text }) });
  // biome-ignore lint/suspicious/noExplicitAny: what it holds is what the tests are about.
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as any };
}

describe('/v1/tokens', () => {
  it('makes a token, tells it once, lists and revokes it', async () => {
    const view = { namespace: 'team-a', vips: false };
    const expiresAt = '2099-01-01T01:00:00+01:00';
    const { status, headers, body } = await send('POST', '/v1/tokens', { label: 'laptop', view, expiresAt });
    const { token, ...record } = body;
    expect(status).toBe(201);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(isTokenShaped(token)).toBe(true);
    const id = tokenIdOf(tokenHash(token));
    expect(record).toEqual({
      id,
      kind: 'client',
      label: 'laptop',
      view,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      expiresAt: '2099-01-01T00:00:00Z',
    });
    expect((await send('GET', '/v1/tokens')).body).toEqual({ items: [record] });
    expect(await send('DELETE', `/v1/tokens/${id}`)).toMatchObject({ status: 200, body: { id } });
    expect((await send('GET', '/v1/tokens')).body).toEqual({ items: [] });
    expect(await send('DELETE', `/v1/tokens/${id}`)).toMatchObject({ status: 404, body: { reason: 'NotFound' } });
    expect(apps.changed).toEqual([tokenHash(token), tokenHash(token)]);
  });

  it('makes administrator tokens, which have no view', async () => {
    const { body } = await send('POST', '/v1/tokens', { label: 'ops', kind: 'admin' });
    expect(body).toMatchObject({ kind: 'admin', view: {} });
    expect(body).not.toHaveProperty('expiresAt');
  });

  it.each([
    [{}, 'label:'],
    [{ label: '' }, 'label:'],
    [{ label: 'a\nb' }, 'label:'],
    [{ label: 'a'.repeat(129) }, 'label:'],
    [{ label: 'a', kind: 'root' }, 'kind:'],
    [{ label: 'a', view: [] }, 'view:'],
    [{ label: 'a', view: { vips: 'yes' } }, 'view.vips:'],
    [{ label: 'a', view: { namespace: 'A' } }, 'view.namespace:'],
    [{ label: 'a', view: { families: ['ipv5'] } }, 'view.families:'],
    [{ label: 'a', view: { searchDomains: ['a..b'] } }, 'view.searchDomains:'],
    [{ label: 'a', view: { admin: true } }, 'unknown field "admin"'],
    [{ label: 'a', kind: 'admin', view: {} }, 'view:'],
    [{ label: 'a', expiresAt: '2001-01-01T00:00:00Z' }, 'it has passed'],
    [{ label: 'a', expiresAt: 'tomorrow' }, 'expiresAt:'],
    [{ label: 'a', token: 'mine' }, 'unknown field "token"'],
    ['[]', 'not a JSON object'],
    ['{', 'not JSON'],
  ])('refuses %j', async (body, message) => {
    const answer = await send('POST', '/v1/tokens', body);
    expect(answer).toMatchObject({
      status: 400,
      body: { reason: 'BadRequest', message: expect.stringContaining(message) },
    });
    expect((await send('GET', '/v1/tokens')).body).toEqual({ items: [] });
  });

  it.each(['zz', '0'.repeat(64), 'mdh_x', '%20'])('knows no token %s', async (id) => {
    expect((await send('DELETE', `/v1/tokens/${id}`)).status).toBe(404);
  });
});

describe('/v1/principals', () => {
  const ROLE = 'arn:aws:iam::123456789012:role/vm';
  const path = (arn: string) => `/v1/principals/${encodeURIComponent(arn)}`;

  it('gives a role its view, under whichever of its ARNs', async () => {
    const put = await send('PUT', path('arn:aws:iam::123456789012:role/fleet/vm'), { view: { namespace: 'team-a' } });
    const record = { arn: ROLE, label: 'vm', view: { namespace: 'team-a' }, createdAt: expect.any(String) };
    expect(put).toMatchObject({ status: 201, body: record });
    const again = await send('PUT', path(ROLE), { label: 'fleet', view: { namespace: 'team-b' } });
    expect(again).toMatchObject({ status: 200, body: { label: 'fleet', createdAt: put.body.createdAt } });
    expect((await send('GET', '/v1/principals')).body.items).toHaveLength(1);
    const session = 'arn:aws:sts::123456789012:assumed-role/vm/i-0';
    expect((await send('GET', path(session))).body).toMatchObject({ arn: ROLE, view: { namespace: 'team-b' } });
    expect(await send('DELETE', `/v1/principals/${ROLE}`)).toMatchObject({ status: 200, body: { arn: ROLE } });
    expect((await send('GET', path(ROLE))).status).toBe(404);
    expect((await send('DELETE', path(ROLE))).status).toBe(404);
  });

  it.each([
    ['arn:aws:iam::123456789012:root', {}],
    [ROLE, { view: { vips: 1 } }],
    [ROLE, { label: '' }],
    [ROLE, { veiw: { namespace: 'team-a' } }],
  ])('refuses %s with %j', async (arn, body) => {
    expect(await send('PUT', path(arn), body)).toMatchObject({ status: 400, body: { reason: 'BadRequest' } });
  });
});

describe('what is for administrators', () => {
  it.each([
    ['GET', '/v1/tokens'],
    ['POST', '/v1/tokens'],
    ['DELETE', '/v1/tokens/0123456789ab'],
    ['GET', '/v1/principals'],
    ['PUT', '/v1/principals/arn:aws:iam::123456789012:role/vm'],
    ['GET', '/v1/explain?name=auto.internal'],
    ['GET', '/v1/table?namespace=default'],
  ])('is not for others: %s %s', async (method, target) => {
    const { app, registry } = await openOperatorApps({}, adminTokenCredentials('secret', DEFAULT_VIEW));
    try {
      const before = new Map(registry.db.calls);
      for (const headers of [{}, { authorization: 'Bearer other' }]) {
        expect((await app.request(target, { method, headers })).status).toBe(401);
      }
      expect(new Map(registry.db.calls)).toEqual(before);
    } finally {
      await registry.db.close();
    }
  });
});
