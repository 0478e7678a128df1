import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ALL, COLLECTION, manifest, openTestApi, type Sent, type TestApi } from './kubernetes/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi();
});
afterAll(async () => {
  await api.close();
  expect(api.faults).toEqual([]);
});
beforeEach(async () => {
  await api.send('DELETE', COLLECTION);
  await api.send('DELETE', COLLECTION.replace('default', 'team'));
});

const create = (name: string, spec: object = {}, metadata: object = {}, namespace = 'default') =>
  api.send('POST', COLLECTION.replace('default', namespace), { body: manifest(name, spec, metadata) });
const read = async (name: string) => (await api.send('GET', `${COLLECTION}/${name}`)).body;
const names = (list: { items: { metadata: { name: string } }[] }) => list.items.map(({ metadata }) => metadata.name);

const MERGE = 'application/merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';

describe('discovery', () => {
  it('names the group, its versions and the resource', async () => {
    expect((await api.send('GET', '/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    expect((await api.send('GET', '/api/v1')).body).toMatchObject({
      kind: 'APIResourceList',
      resources: [{ kind: 'List', verbs: [] }],
    });
    expect((await api.send('GET', '/apis')).body).toMatchObject({
      kind: 'APIGroupList',
      groups: [{ name: 'networking.istio.io', preferredVersion: { version: 'v1' } }],
    });
    const group = (await api.send('GET', '/apis/networking.istio.io')).body;
    expect(group.versions.map(({ version }: { version: string }) => version)).toEqual(['v1', 'v1beta1', 'v1alpha3']);
    expect((await api.send('GET', '/version')).body).toMatchObject({ major: '1', gitVersion: expect.any(String) });
  });

  it.each(['v1', 'v1beta1', 'v1alpha3'])('%s has serviceentries, se for short', async (version) => {
    const { body } = await api.send('GET', `/apis/networking.istio.io/${version}`);
    expect(body).toMatchObject({
      kind: 'APIResourceList',
      groupVersion: `networking.istio.io/${version}`,
      resources: [{ name: 'serviceentries', shortNames: ['se'], namespaced: true, kind: 'ServiceEntry' }],
    });
    expect(body.resources[0].verbs).toEqual(expect.arrayContaining(['list', 'watch', 'patch', 'deletecollection']));
  });

  it('echoes the version that is asked for', async () => {
    await create('auto');
    for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
      const apiVersion = `networking.istio.io/${version}`;
      expect((await api.send('GET', `${COLLECTION.replace('v1', version)}/auto`)).body.apiVersion).toBe(apiVersion);
      const list = (await api.send('GET', COLLECTION.replace('v1', version))).body;
      expect(list).toMatchObject({ apiVersion, kind: 'ServiceEntryList', items: [{ apiVersion }] });
    }
  });
});

describe('what is not there', () => {
  it.each<[string, string, number, string]>([
    ['GET', `${COLLECTION}/none`, 404, 'NotFound'],
    ['DELETE', `${COLLECTION}/none`, 404, 'NotFound'],
    ['GET', '/apis/networking.istio.io/v2/serviceentries', 404, 'NotFound'],
    ['GET', '/apis/networking.istio.io/v2', 404, 'NotFound'],
    ['GET', '/apis/networking.istio.io/v1/gateways', 404, 'NotFound'],
    ['GET', '/apis/apps', 404, 'NotFound'],
    ['GET', '/api/v1/namespaces', 404, 'NotFound'],
    ['GET', '/openapi/v4', 404, 'NotFound'],
    ['POST', ALL, 405, 'MethodNotAllowed'],
    ['DELETE', ALL, 405, 'MethodNotAllowed'],
    ['PUT', COLLECTION, 405, 'MethodNotAllowed'],
    ['POST', `${COLLECTION}/none`, 405, 'MethodNotAllowed'],
  ])('%s %s is a Status with %i %s', async (method, target, code, reason) => {
    const { status, body } = await api.send(method, target);
    expect(status).toBe(code);
    expect(body).toMatchObject({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason, code });
    expect(body.message).not.toBe('');
  });
});

describe('create', () => {
  it('answers 201 with the stored object, and says whose answers may have changed', async () => {
    const { status, body, headers } = await create('auto');
    expect(status).toBe(201);
    expect(body).toMatchObject({
      metadata: { name: 'auto', namespace: 'default', generation: 1, uid: expect.any(String) },
      status: { addresses: [{ host: 'auto.internal' }, { host: 'auto.internal' }] },
    });
    expect(headers.get('meshdoh-outcome')).toBe('created');
    expect(api.committed).toContain('auto.internal');
  });

  it('of what is there is AlreadyExists, not Conflict', async () => {
    await create('auto');
    const { status, body } = await create('auto');
    expect(status).toBe(409);
    expect(body).toMatchObject({
      reason: 'AlreadyExists',
      message: 'serviceentries.networking.istio.io "auto" already exists',
      details: { name: 'auto', group: 'networking.istio.io', kind: 'serviceentries' },
    });
  });

  it('generates a name where there is only its beginning', async () => {
    const made = await create('', { hosts: ['made.internal'] }, { name: undefined, generateName: 'auto-' });
    expect(made.status).toBe(201);
    expect(made.body.metadata.name).toMatch(/^auto-[b-z2-9]{5}$/);
    const named = await create('mine', {}, { generateName: 'auto-' });
    expect(named.body.metadata.name).toBe('mine');
  });

  it('takes YAML', async () => {
    const body = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: yaml }
spec: { hosts: [yaml.internal], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }`;
    expect((await api.send('POST', COLLECTION, { body, type: 'application/yaml' })).status).toBe(201);
  });

  it.each<[string, Sent, number, string]>([
    ['another media type', { body: '{}', type: 'text/plain' }, 415, 'UnsupportedMediaType'],
    ['no JSON', { body: '{' }, 400, 'BadRequest'],
    ['no object', { body: [] }, 400, 'BadRequest'],
    ['nothing', { body: '' }, 400, 'BadRequest'],
    ['two objects', { body: { kind: 'List', items: [manifest('a'), manifest('b')] } }, 400, 'BadRequest'],
    ['another namespace', { body: manifest('a', {}, { namespace: 'team' }) }, 400, 'BadRequest'],
    [
      'another version than the path has',
      { body: { ...manifest('a'), apiVersion: 'networking.istio.io/v1beta1' } },
      400,
      'BadRequest',
    ],
    ['another kind', { body: { ...manifest('a'), kind: 'Gateway' } }, 422, 'Invalid'],
    ['no name', { body: manifest('') }, 422, 'Invalid'],
  ])('refuses %s', async (_, sent, code, reason) => {
    const { status, body } = await api.send('POST', COLLECTION, sent);
    expect(status).toBe(code);
    expect(body).toMatchObject({ kind: 'Status', reason, code });
  });

  it('names every error as a cause', async () => {
    const { status, body } = await create('bad', { hosts: [], port: 1 });
    expect(status).toBe(422);
    expect(body).toMatchObject({ reason: 'Invalid', details: { name: 'bad', kind: 'ServiceEntry' } });
    expect(body.details.causes.map(({ field }: { field: string }) => field).sort()).toEqual([
      'spec.hosts',
      'spec.port',
    ]);
  });

  it('sends cautions as Warning headers', async () => {
    const { headers } = await create('bare', { resolution: 'DNS', hosts: ['short'] });
    expect(headers.get('warning')).toMatch(/^299 - ".+"$/);
  });

  it('sends no more of them than the headers of an answer may hold', async () => {
    const unknown = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`x${at}-${'y'.repeat(at)}"\n`, at]));
    const target = `${COLLECTION}?fieldValidation=Warn&dryRun=All`;
    const { status, headers } = await api.send('POST', target, { body: manifest('auto', unknown) });
    const warning = headers.get('warning') ?? '';
    expect(status).toBe(201);
    expect(warning).toContain('unknown field');
    expect(warning.length).toBeLessThan(6_000);
  });
});

describe('replace', () => {
  it('takes the version it replaces, and refuses a stale one as Conflict', async () => {
    await create('auto');
    const old = await read('auto');
    const replace = (body: unknown) => api.send('PUT', `${COLLECTION}/auto`, { body });
    const changed = { ...old, spec: { ...old.spec, location: 'MESH_EXTERNAL' } };
    const first = await replace(changed);
    expect(first.status).toBe(200);
    expect(first.body.metadata).toMatchObject({ generation: 2, uid: old.metadata.uid });
    const second = await replace(changed);
    expect(second.status).toBe(409);
    expect(second.body).toMatchObject({ reason: 'Conflict', message: expect.stringContaining('has been modified') });
  });

  it('without a resourceVersion is 422, of nothing 404, with another uid a Conflict', async () => {
    const put = (name: string, metadata: object) =>
      api.send('PUT', `${COLLECTION}/${name}`, { body: manifest(name, {}, metadata) });
    await create('auto');
    const { resourceVersion } = (await read('auto')).metadata;
    expect(await put('auto', {})).toMatchObject({ status: 422, body: { reason: 'Invalid' } });
    expect(await put('none', { resourceVersion: '1' })).toMatchObject({ status: 404, body: { reason: 'NotFound' } });
    expect(await put('auto', { resourceVersion, uid: 'other' })).toMatchObject({
      status: 409,
      body: { reason: 'Conflict' },
    });
    expect(await put('auto', { resourceVersion })).toMatchObject({ status: 200 });
  });
});

describe('patch', () => {
  const patch = (name: string, body: unknown, type: string, query = '') =>
    api.send('PATCH', `${COLLECTION}/${name}${query}`, { body, type });

  it('merges', async () => {
    await create('auto', {}, { labels: { a: '1', b: '2' } });
    const { status, body } = await patch('auto', { metadata: { labels: { a: null, c: '3' } } }, MERGE);
    expect(status).toBe(200);
    expect(body.metadata).toMatchObject({ labels: { b: '2', c: '3' }, generation: 1 });
    expect(body.metadata.labels).not.toHaveProperty('a');
  });

  it('applies operations', async () => {
    await create('auto');
    const { status, body } = await patch(
      'auto',
      [
        { op: 'test', path: '/spec/ports/0/number', value: 80 },
        { op: 'replace', path: '/spec/ports/0/number', value: 8080 },
      ],
      JSON_PATCH,
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({ spec: { ports: [{ number: 8080 }] }, metadata: { generation: 2 } });
  });

  it('applies a whole object, and makes it where there is none', async () => {
    const made = await patch('auto', manifest('auto'), 'application/apply-patch+yaml');
    expect(made.status).toBe(201);
    const again = await patch('auto', manifest('auto'), 'application/apply-patch+yaml');
    expect(again.headers.get('meshdoh-outcome')).toBe('unchanged');
    expect(again.body.metadata.resourceVersion).toBe(made.body.metadata.resourceVersion);
  });

  it('cannot write status, a uid or a time', async () => {
    const made = (await create('auto')).body;
    const forged = {
      metadata: { creationTimestamp: '2020-01-01T00:00:00Z' },
      status: { addresses: [{ value: '198.51.100.9', host: 'auto.internal' }] },
    };
    expect((await patch('auto', forged, MERGE)).body).toEqual(made);
  });

  it.each<[string, unknown, string, number, string]>([
    ['strategic merge', {}, 'application/strategic-merge-patch+json', 415, 'UnsupportedMediaType'],
    ['a merge patch that is a list', [], MERGE, 400, 'BadRequest'],
    ['a JSON patch that is an object', {}, JSON_PATCH, 400, 'BadRequest'],
    ['a patch that is no JSON', '{', MERGE, 400, 'BadRequest'],
    ['an operation that fails', [{ op: 'remove', path: '/spec/none' }], JSON_PATCH, 422, 'Invalid'],
    ['a result that is invalid', { spec: { hosts: [] } }, MERGE, 422, 'Invalid'],
    ['a result with unknown fields', { spec: { host: 'a' } }, MERGE, 422, 'Invalid'],
    ['a new name', { metadata: { name: 'other' } }, MERGE, 400, 'BadRequest'],
    ['a new namespace', { metadata: { namespace: 'team' } }, MERGE, 400, 'BadRequest'],
    ['a stale version', { metadata: { resourceVersion: '1' } }, MERGE, 409, 'Conflict'],
  ])('refuses %s', async (_, body, type, code, reason) => {
    const made = (await create('auto')).body;
    const answer = await patch('auto', body, type);
    expect(answer.status).toBe(code);
    expect(answer.body).toMatchObject({ kind: 'Status', reason, code });
    expect(await read('auto')).toEqual(made);
  });

  it('of nothing is 404', async () => {
    expect(await patch('none', {}, MERGE)).toMatchObject({ status: 404 });
  });

  it('goes on from an object of another cluster, whose version means nothing here', async () => {
    await create('auto');
    const foreign = { metadata: { uid: 'elsewhere', resourceVersion: '7', labels: { a: '1' } } };
    expect(await patch('auto', foreign, MERGE)).toMatchObject({
      status: 200,
      body: { metadata: { labels: { a: '1' } } },
    });
  });

  it('loses nothing when many patch at once', async () => {
    await create('auto');
    const labels = Array.from({ length: 4 }, (_, at) => ({ metadata: { labels: { [`l${at}`]: 'x' } } }));
    const answers = await Promise.all(labels.map((body) => patch('auto', body, MERGE)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(Object.keys((await read('auto')).metadata.labels).sort()).toEqual(['l0', 'l1', 'l2', 'l3']);
  });
});

describe('delete', () => {
  it('answers with a Status that names what is gone', async () => {
    const { uid } = (await create('auto')).body.metadata;
    const { status, body } = await api.send('DELETE', `${COLLECTION}/auto`, {
      body: { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ kind: 'Status', status: 'Success', details: { name: 'auto', uid } });
    expect((await api.send('GET', `${COLLECTION}/auto`)).status).toBe(404);
  });

  it.each<[string, object, number]>([
    ['the uid', { uid: 'other' }, 409],
    ['the version', { resourceVersion: '1' }, 409],
    ['nothing', {}, 200],
  ])('holds its precondition of %s', async (_, preconditions, code) => {
    await create('auto');
    expect((await api.send('DELETE', `${COLLECTION}/auto`, { body: { preconditions } })).status).toBe(code);
  });

  it('of a collection takes what its selectors say, in its namespace', async () => {
    await create('a', {}, { labels: { app: 'web' } });
    await create('b', {}, { labels: { app: 'web' } });
    await create('c');
    await create('d', {}, { labels: { app: 'web' } }, 'team');
    const dry = await api.send('DELETE', `${COLLECTION}?labelSelector=app%3Dweb&dryRun=All`);
    expect(names(dry.body)).toEqual(['a', 'b']);
    expect(names((await api.send('GET', ALL)).body)).toHaveLength(4);
    const { status, body } = await api.send('DELETE', `${COLLECTION}?labelSelector=app%3Dweb`);
    expect(status).toBe(200);
    expect(body.kind).toBe('ServiceEntryList');
    expect(names(body).sort()).toEqual(['a', 'b']);
    expect(names((await api.send('GET', ALL)).body)).toEqual(['c', 'd']);
    expect((await api.send('DELETE', `${COLLECTION}?labelSelector=%3D`)).status).toBe(400);
    expect((await api.send('DELETE', `${COLLECTION}?fieldSelector=metadata.name%3Dc`)).body.items).toHaveLength(1);
  });
});

describe('dryRun', () => {
  it.each<[string, string, string, Sent]>([
    ['a create', 'POST', COLLECTION, { body: manifest('other') }],
    ['a merge patch', 'PATCH', `${COLLECTION}/auto`, { body: { spec: { location: 'MESH_EXTERNAL' } }, type: MERGE }],
    ['a delete', 'DELETE', `${COLLECTION}/auto`, {}],
    ['a delete that says so in its body', 'DELETE', `${COLLECTION}/auto`, { body: { dryRun: ['All'] } }],
  ])('of %s commits nothing', async (_, method, target, sent) => {
    await create('auto');
    const before = (await api.send('GET', ALL)).body;
    const query = sent.body && 'dryRun' in (sent.body as object) ? '' : '?dryRun=All';
    expect((await api.send(method, target + query, sent)).status).toBeLessThan(300);
    expect((await api.send('GET', ALL)).body).toEqual(before);
  });

  it('refuses anything but All', async () => {
    const { status, body } = await api.send('POST', `${COLLECTION}?dryRun=Some`, { body: manifest('a') });
    expect({ status, reason: body.reason }).toEqual({ status: 400, reason: 'BadRequest' });
  });
});

describe('fieldValidation', () => {
  const post = (value: string) =>
    api.send('POST', `${COLLECTION}?fieldValidation=${value}`, {
      body: { ...manifest('loose', { hostz: 1, ports: [{ number: 80, name: 'http', x: 1 }] }), extra: {} },
    });

  it.each(['Strict', ''])('%j refuses unknown fields by name', async (value) => {
    const { status, body } = await post(value);
    expect(status).toBe(422);
    expect(body.details.causes.map(({ field }: { field: string }) => field).sort()).toEqual([
      'extra',
      'spec.hostz',
      'spec.ports[0].x',
    ]);
  });

  it('Warn leaves them out, and says so', async () => {
    const { status, headers, body } = await post('Warn');
    expect(status).toBe(201);
    expect(body.spec).not.toHaveProperty('hostz');
    expect(headers.get('warning')).toContain(String.raw`unknown field \"spec.ports[0].x\"`);
  });

  it('Ignore leaves them out in silence', async () => {
    const { status, headers, body } = await post('Ignore');
    expect(status).toBe(201);
    expect(body).not.toHaveProperty('extra');
    expect(headers.get('warning') ?? '').not.toContain('unknown field');
  });

  it('is none other', async () => {
    expect((await post('Maybe')).status).toBe(400);
  });
});

describe('list', () => {
  beforeEach(async () => {
    await create('a', {}, { labels: { app: 'web' } });
    await create('b', {}, { labels: { app: 'api' } });
    await create('c');
    await create('a', { hosts: ['a.team'] }, {}, 'team');
  });

  it.each<[string, string, string[]]>([
    ['all namespaces', ALL, ['a', 'b', 'c', 'a']],
    ['one', COLLECTION, ['a', 'b', 'c']],
    ['one that is empty', COLLECTION.replace('default', 'none'), []],
    ['a label', `${ALL}?labelSelector=app%3Dweb`, ['a']],
    ['several labels', `${ALL}?labelSelector=app+in+(web,api),!x`, ['a', 'b']],
    ['a name', `${COLLECTION}?fieldSelector=metadata.name%3Db`, ['b']],
    ['a name in all', `${ALL}?fieldSelector=metadata.name%3Da`, ['a', 'a']],
    ['a namespace', `${ALL}?fieldSelector=metadata.namespace%3Dteam`, ['a']],
    ['both', `${COLLECTION}?fieldSelector=metadata.name%3Db&labelSelector=app%3Dweb`, []],
  ])('of %s', async (_, target, expected) => {
    const { status, body } = await api.send('GET', target);
    expect(status).toBe(200);
    expect(names(body)).toEqual(expected);
  });

  it.each<[string, string]>([
    ['a field that nobody selects by', 'fieldSelector=spec.hosts%3Da'],
    ['a selector that is none', 'labelSelector=a%20in'],
    ['a limit that is none', 'limit=-1'],
    ['a continue token that is none', 'continue=abc'],
    ['a match of no version', 'resourceVersionMatch=Exact'],
    ['a match that is none', 'resourceVersion=1&resourceVersionMatch=Almost'],
  ])('refuses %s', async (_, query) => {
    const { status, body } = await api.send('GET', `${ALL}?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ reason: 'BadRequest' });
  });

  it('moves its resourceVersion with each commit, and only then', async () => {
    const version = async () => Number((await api.send('GET', COLLECTION)).body.metadata.resourceVersion);
    const before = await version();
    expect(await version()).toBe(before);
    await create('d');
    expect(await version()).toBeGreaterThan(before);
  });

  it('of exactly one version is that, or gone', async () => {
    const { resourceVersion } = (await api.send('GET', ALL)).body.metadata;
    const list = (match: string) =>
      api.send('GET', `${ALL}?resourceVersion=${resourceVersion}&resourceVersionMatch=${match}`);
    expect((await list('Exact')).status).toBe(200);
    await create('d');
    expect(await list('Exact')).toMatchObject({ status: 410, body: { reason: 'Expired' } });
    expect(names((await list('NotOlderThan')).body)).toContain('d');
  });

  it('comes in parts, each entry once', async () => {
    const seen: string[] = [];
    let token = '';
    const versions = new Set<string>();
    do {
      const target = `${ALL}?limit=1&labelSelector=${encodeURIComponent('app!=api')}&continue=${token}`;
      const { body } = await api.send('GET', target);
      expect(body.items).toHaveLength(1);
      seen.push(...names(body));
      versions.add(body.metadata.resourceVersion);
      token = body.metadata.continue ?? '';
      await create(`between-${seen.length}`, {}, { labels: { app: 'api' } });
    } while (token !== '');
    expect(seen).toEqual(['a', 'c', 'a']);
    expect(versions.size).toBe(1);
  });

  it('is over when it ends with its last part', async () => {
    expect((await api.send('GET', `${COLLECTION}?limit=3`)).body.metadata).not.toHaveProperty('continue');
    expect((await api.send('GET', `${COLLECTION}?limit=0`)).body.items).toHaveLength(3);
  });

  it.each<[string, unknown]>([
    ['of another namespace', ['1', 0, 'team', 'a']],
    ['with a name that is none', ['1', 0, 'default', 'A'.repeat(2000)]],
    ['with a number for a name', ['1', 0, 'default', {}]],
    ['without a version', ['', 0, 'default', 'a']],
    ['that is too short', ['1', 0, 'default']],
  ])('refuses a continue token %s', async (_, fields) => {
    const token = Buffer.from(JSON.stringify(fields)).toString('base64url');
    expect(await api.send('GET', `${COLLECTION}?limit=1&continue=${token}`)).toMatchObject({ status: 400 });
  });

  it('cannot be continued for ever', async () => {
    const { metadata } = (await api.send('GET', `${ALL}?limit=2`)).body;
    const next = () => api.send('GET', `${ALL}?limit=2&continue=${metadata.continue}`);
    expect((await next()).status).toBe(200);
    api.registry.clock.now += 5 * 60_000 + 1;
    expect(await next()).toMatchObject({ status: 410, body: { reason: 'Expired' } });
  });
});

describe('an answer that the client would not take', () => {
  it('is known before anything is written', async () => {
    const headers = { accept: 'text/html' };
    const made = await api.send('POST', COLLECTION, { body: manifest('a'), headers });
    expect(made).toMatchObject({ status: 406, body: { reason: 'NotAcceptable' } });
    expect((await api.send('GET', `${COLLECTION}/a`)).status).toBe(404);
  });
});

describe('what a client may see', () => {
  it('needs an administrator token, except the version', async () => {
    const closed = await openTestApi({ token: 'secret' });
    try {
      for (const target of ['/api', '/apis', '/apis/networking.istio.io/v1', ALL, '/openapi/v2', '/openapi/v3']) {
        const { status, body, headers } = await closed.send('GET', target);
        expect({ target, status }).toEqual({ target, status: 401 });
        expect(body).toMatchObject({ kind: 'Status', reason: 'Unauthorized', code: 401 });
        expect(headers.get('www-authenticate')).toContain('Bearer');
        const headersOf = { authorization: 'Bearer secret' };
        expect((await closed.send('GET', target, { headers: headersOf })).status).toBe(200);
      }
      expect((await closed.send('GET', '/version')).status).toBe(200);
    } finally {
      await closed.close();
    }
  });
});
