import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceEntry } from '../../support/registry.ts';
import { ALL, COLLECTION, openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi();
  const { registry } = api;
  await registry.apply(serviceEntry('auto', { hosts: ['auto.internal'], location: 'MESH_EXTERNAL' }));
  await registry.apply(
    serviceEntry('fixed', { hosts: ['a.internal', 'b.internal'], addresses: ['198.51.100.1'], resolution: 'STATIC' }),
  );
  registry.clock.now += 125_000;
});
afterAll(() => api.close());

const accepting = (accept: string, target = COLLECTION) => api.send('GET', target, { headers: { accept } });
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

describe('a list as a Table', () => {
  it('has the columns that kubectl prints, the addresses for wide ones', async () => {
    const { body } = await accepting(`${TABLE},application/json`);
    expect(body).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
    expect(Number(body.metadata.resourceVersion)).toBeGreaterThan(0);
    const columns = body.columnDefinitions.map(({ name, priority }: { name: string; priority: number }) => [
      name,
      priority,
    ]);
    expect(columns).toEqual([
      ['Name', 0],
      ['Hosts', 0],
      ['Location', 0],
      ['Resolution', 0],
      ['Age', 0],
      ['Addresses', 1],
    ]);
    expect(body.rows.map(({ cells }: { cells: unknown[] }) => cells)).toEqual([
      [
        'auto',
        '["auto.internal"]',
        'MESH_EXTERNAL',
        'DNS',
        '2m5s',
        expect.stringMatching(/^240\.240\.\S+,2001:2:\S+$/),
      ],
      ['fixed', '["a.internal","b.internal"]', null, 'STATIC', '2m5s', '198.51.100.1'],
    ]);
  });

  it.each([
    ['', { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { name: 'auto' } }],
    ['Metadata', { kind: 'PartialObjectMetadata', metadata: { name: 'auto' } }],
    ['Object', { kind: 'ServiceEntry', apiVersion: 'networking.istio.io/v1', spec: { hosts: ['auto.internal'] } }],
    ['None', undefined],
  ])('carries, with includeObject=%s, as much of each object', async (include, object) => {
    const { body } = await accepting(TABLE, `${ALL}?includeObject=${include}`);
    if (object === undefined) expect(body.rows[0]).not.toHaveProperty('object');
    else expect(body.rows[0].object).toMatchObject(object);
    if (include !== 'Object') expect(JSON.stringify(body.rows)).not.toContain('"spec"');
  });

  it('has one row for one object, and its continue token', async () => {
    const one = await accepting(TABLE, `${COLLECTION}/auto`);
    expect(one.body.rows).toHaveLength(1);
    expect(one.body.metadata.resourceVersion).toBe(one.body.rows[0].object.metadata.resourceVersion);
    expect((await accepting(TABLE, `${ALL}?limit=1`)).body.metadata.continue).toEqual(expect.any(String));
  });

  it('leaves errors as they are', async () => {
    expect((await accepting(TABLE, `${COLLECTION}/none`)).body).toMatchObject({ kind: 'Status', code: 404 });
  });
});

describe('Accept', () => {
  it.each<[string, string]>([
    ['', 'ServiceEntryList'],
    ['*/*', 'ServiceEntryList'],
    ['application/json', 'ServiceEntryList'],
    ['application/json, */*', 'ServiceEntryList'],
    ['application/vnd.kubernetes.protobuf, application/json', 'ServiceEntryList'],
    ['application/json;as=Table;v=v1beta1;g=meta.k8s.io', 'Table'],
    ['application/json; as=Table; g=meta.k8s.io; v=v1', 'Table'],
    ['application/json;as=Table;v=v9;g=meta.k8s.io,application/json', 'ServiceEntryList'],
    ['application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', 'PartialObjectMetadataList'],
  ])('%j is answered with a %s', async (accept, kind) => {
    const { status, body } = await accepting(accept);
    expect({ status, kind: body.kind }).toEqual({ status: 200, kind });
  });

  it.each(['text/html', 'application/vnd.kubernetes.protobuf', 'application/json;as=Tree;v=v1;g=meta.k8s.io'])(
    '%j is not acceptable',
    async (accept) => {
      expect(await accepting(accept)).toMatchObject({ status: 406, body: { reason: 'NotAcceptable' } });
    },
  );
});
