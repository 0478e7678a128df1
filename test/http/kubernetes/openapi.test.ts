import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApiV2, type Schema } from '../../../src/http/kubernetes/openapi.ts';
import { encodeOpenApiV2 } from '../../../src/http/kubernetes/openapi-protobuf.ts';
import { openTestApi, type TestApi } from './test-api.ts';

const KIND = 'io.istio.networking.v1.ServiceEntry';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi();
});
afterAll(() => api.close());

describe('the OpenAPI documents', () => {
  it('describe the kind: what is required, what a list holds, and the status', async () => {
    const { definitions } = (await api.send('GET', '/openapi/v2')).body;
    const { properties } = definitions[KIND];
    expect(properties.spec.required).toEqual(['hosts']);
    expect(properties.spec.properties.ports.items.required).toEqual(['name', 'number']);
    expect(properties.spec.properties.ports.items.properties.number).toMatchObject({ type: 'integer' });
    expect(properties.spec.properties.resolution.enum).toContain('DNS_ROUND_ROBIN');
    expect(properties.status.properties.addresses.items.properties).toHaveProperty('value');
    expect(definitions[KIND]['x-kubernetes-group-version-kind']).toEqual([
      { group: 'networking.istio.io', version: 'v1', kind: 'ServiceEntry' },
    ]);
    expect(definitions[`${KIND}List`].properties.items.items.$ref).toBe(`#/definitions/${KIND}`);
  });

  it('leave to the path what the path says: a manifest without a namespace is valid', async () => {
    const { metadata } = (await api.send('GET', '/openapi/v2')).body.definitions[KIND].properties;
    expect(metadata).not.toHaveProperty('required');
    expect(Object.keys(metadata.properties)).toEqual(expect.arrayContaining(['managedFields', 'annotations', 'uid']));
  });

  it('say of every field of spec what it is for', () => {
    const spec = openApiV2().definitions[KIND]?.properties?.spec;
    const silent = Object.entries(spec?.properties ?? {}).filter(([, { description }]) => !description);
    expect(silent).toEqual([]);
  });

  it('say that writes understand dryRun and fieldValidation', async () => {
    const { paths } = (await api.send('GET', '/openapi/v3/apis/networking.istio.io/v1beta1')).body;
    const object = paths['/apis/networking.istio.io/v1beta1/namespaces/{namespace}/serviceentries/{name}'];
    const parameters = object.patch.parameters.map(({ name }: { name: string }) => name);
    expect(parameters).toEqual(expect.arrayContaining(['dryRun', 'fieldValidation']));
  });

  it('are listed, and found where the list says', async () => {
    const { paths } = (await api.send('GET', '/openapi/v3')).body;
    for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
      const { serverRelativeURL } = paths[`apis/networking.istio.io/${version}`];
      const { openapi, components } = (await api.send('GET', serverRelativeURL)).body;
      expect(openapi).toBe('3.0.0');
      expect(Object.keys(components.schemas)).toContain(`io.istio.networking.${version}.ServiceEntry`);
    }
  });

  it.each<[string, string | undefined]>([
    ['application/com.github.proto-openapi.spec.v2@v1.0+protobuf', 'protobuf'],
    ['application/com.github.proto-openapi.spec.v2.v1.0+protobuf', 'protobuf'],
    ['application/json', 'json'],
    ['*/*', 'json'],
    ['text/html', undefined],
  ])('answer Accept: %s with %s', async (accept, form) => {
    const response = await api.app.request('/openapi/v2', { headers: { accept } });
    expect(response.status).toBe(form ? 200 : 406);
    if (form) expect(response.headers.get('content-type')).toMatch(new RegExp(`${form}$`));
    await response.arrayBuffer();
  });
});

interface Field {
  readonly number: number;
  readonly content: Buffer;
}

/** The fields of a protobuf message: every one of those used here that is read below is delimited. */
function fieldsOf(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const octet = message[at++] ?? 0;
      value |= (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    if ((key & 7) === 0) {
      fields.push({ number: key >> 3, content: Buffer.from([varint()]) });
      continue;
    }
    expect(key & 7).toBe(2);
    const length = varint();
    fields.push({ number: key >> 3, content: Buffer.from(message.subarray(at, at + length)) });
    at += length;
  }
  return fields;
}

const all = (message: Uint8Array, number: number) => fieldsOf(message).filter((field) => field.number === number);
const text = (message: Uint8Array, number: number) => all(message, number)[0]?.content.toString();
const child = (message: Uint8Array, ...numbers: number[]): Uint8Array =>
  numbers.reduce<Uint8Array>((at, number) => all(at, number)[0]?.content ?? new Uint8Array(), message);
/** The value of a map's entry. */
const entry = (map: Uint8Array, number: number, name: string) =>
  all(map, number).find(({ content }) => text(content, 1) === name)?.content ?? new Uint8Array();

describe('the protobuf form', () => {
  const document = encodeOpenApiV2(openApiV2());

  it('holds every definition, by the field numbers of gnostic', () => {
    expect(text(document, 1)).toBe('2.0');
    const definitions = child(document, 9);
    expect(all(definitions, 1).map(({ content }) => text(content, 1))).toEqual(Object.keys(openApiV2().definitions));
    const kind = child(entry(definitions, 1, KIND), 2);
    const spec = child(entry(child(kind, 25), 1, 'spec'), 2);
    expect(text(spec, 19)).toBe('hosts');
    expect(text(child(spec, 22), 1)).toBe('object');
    const hosts = child(entry(child(spec, 25), 1, 'hosts'), 2);
    expect(text(child(hosts, 22), 1)).toBe('array');
    expect(text(child(hosts, 23, 1, 22), 1)).toBe('string');
    const resolution = child(entry(child(spec, 25), 1, 'resolution'), 2);
    expect(all(resolution, 20).map(({ content }) => text(content, 2))).toContain('"DNS"');
    expect(JSON.parse(text(child(entry(kind, 31, 'x-kubernetes-group-version-kind'), 2), 2) ?? '')).toMatchObject([
      { kind: 'ServiceEntry' },
    ]);
  });

  it('holds the parameters of writes', () => {
    const path = '/apis/networking.istio.io/v1/namespaces/{namespace}/serviceentries/{name}';
    const patch = child(entry(child(document, 8), 2, path), 2, 8);
    const names = all(patch, 8).map(({ content }) => text(child(content, 1, 2, 3), 4));
    expect(names).toEqual(['dryRun', 'fieldManager', 'fieldValidation']);
  });

  it('leaves nothing out in silence', () => {
    const unknown = { definitions: { a: { discriminator: 'x' } as Schema } };
    expect(() => encodeOpenApiV2({ ...openApiV2(), ...unknown })).toThrow('"discriminator"');
  });
});
