import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type OpenStore, openStore } from '../../src/cli/open-store.ts';
import { createService, type Service } from '../../src/cli/service.ts';
import { defaults, type Settings } from '../../src/settings.ts';
import { deadline, serviceEntry } from '../support/registry.ts';

const ADMIN = { authorization: 'Bearer from-file' };

let store: OpenStore;
const services: Service[] = [];
const faults: unknown[] = [];

beforeAll(async () => {
  store = await openStore({ kind: 'memory' }, '/nonexistent', deadline());
});
afterEach(async () => {
  for (const service of services.splice(0)) await service.close();
  expect(faults).toEqual([]);
});
afterAll(() => store.close());

/** A process on the store that all of these tests share. */
async function open(settings: Partial<Settings> = {}): Promise<Service> {
  const report = (error: unknown) => faults.push(error);
  const service = await createService({
    settings: { ...defaults, upstreams: [], registryCacheMs: 60_000, ...settings },
    store,
    adminToken: 'from-file',
    report,
  });
  services.push(service);
  return service;
}

async function makeToken({ app }: Service, body: object): Promise<{ token: string; id: string }> {
  const request = { method: 'POST', headers: ADMIN, body: JSON.stringify({ label: 'a', ...body }) };
  return (await (await app.request('/v1/tokens', request)).json()) as { token: string; id: string };
}

describe('a server', () => {
  it('lets the owner of a token ask and fetch its table, until it is revoked here', async () => {
    const service = await open();
    const { app, writer } = service;
    const theirs = serviceEntry('theirs', { hosts: ['theirs.internal'], exportTo: ['.'] }, { namespace: 'team-a' });
    await writer.apply(theirs, {}, deadline());
    const { token, id } = await makeToken(service, { view: { namespace: 'team-a' } });
    const table = await app.request(`/${token}/v1/table`);
    expect(await table.json()).toMatchObject({ hosts: [{ host: 'theirs.internal' }] });
    const inHeader = await app.request('/v1/table', { headers: { authorization: `Bearer ${token}` } });
    expect(inHeader.status).toBe(200);
    expect((await app.request(`/${token}/dns-query?name=theirs.internal`)).status).toBe(200);
    expect((await app.request(`/v1/tokens/${id}`, { method: 'DELETE', headers: ADMIN })).status).toBe(200);
    for (const path of [`/${token}/v1/table`, `/${token}/dns-query?name=theirs.internal`]) {
      expect((await app.request(path)).status).toBe(404);
    }
  });

  it('honours administrator tokens beside the one of the file, for all of its API', async () => {
    const service = await open();
    const { token } = await makeToken(service, { kind: 'admin' });
    const client = await makeToken(service, {});
    for (const path of [
      '/v1/pools',
      '/v1/tokens',
      '/apis/networking.istio.io/v1/serviceentries',
      '/v1/table?namespace=a',
    ]) {
      const statusFor = async (bearer: string) =>
        (await service.app.request(path, { headers: { authorization: `Bearer ${bearer}` } })).status;
      expect(await statusFor(token), path).toBe(200);
      expect(await statusFor(client.token), path).toBe(401);
    }
  });

  it('honours path tokens also where no credential is asked for', async () => {
    const { token } = await makeToken(await open(), { view: { namespace: 'team-z' } });
    const { app } = await open({ auth: 'none' });
    const table = await app.request(`/${token}/v1/table`);
    expect(await table.json()).toMatchObject({ view: { namespace: 'team-z' } });
    expect((await app.request('/x/v1/table')).status).toBe(404);
    expect((await app.request('/v1/table')).status).toBe(200);
  });
});
