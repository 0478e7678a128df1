import type { Context, Hono } from 'hono';
import { serviceEntrySections } from '../../serviceentry/schema.ts';
import { NO_SUCH_RESOURCE, sendStatus } from '../api.ts';
import { mediaTypeOf } from '../message.ts';
import { failure, GROUP } from '../status.ts';
import { VERSION } from './discovery.ts';
import { encodeOpenApiV2 } from './openapi-protobuf.ts';
import { apiVersionOf, isVersion, KIND, LIST_KIND, PLURAL, VERSIONS } from './resource.ts';

/** As much of a schema object (OpenAPI 2.0 and 3.0) as the documents use. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly enum?: readonly string[];
  readonly [extension: `x-${string}`]: unknown;
}

export interface Operation {
  readonly operationId: string;
  readonly parameters: readonly object[];
  readonly responses: object;
  readonly [extension: `x-${string}`]: unknown;
}

export interface OpenApiV2 {
  readonly swagger: '2.0';
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly definitions: Readonly<Record<string, Schema>>;
}

type JsonSchema = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What the schema language says and Kubernetes' clients have no use for, or stumble over. */
const LEFT_OUT: ReadonlySet<string> = new Set(['pattern', 'minimum', 'maximum', 'maxLength', 'minItems', 'maxItems']);

function plain(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(plain);
  if (!isObject(schema)) return schema;
  const kept = Object.entries(schema).filter(
    ([key, value]) => !LEFT_OUT.has(key) && !(key === 'additionalProperties' && value === false),
  );
  return Object.fromEntries(kept.map(([key, value]) => [key, plain(value)]));
}

/** Any object whatever. */
const ANYTHING: Schema = { type: 'object' };
const TEXT: Schema = { type: 'string' };

function sections(): { readonly metadata: Schema; readonly spec: Schema; readonly status: Schema } {
  const { metadata, spec, status } = plain(serviceEntrySections()) as Readonly<Record<string, Schema>>;
  // A client need not say what the path says, and may send back what others keep there.
  const { required: _, ...optional } = metadata ?? {};
  const managedFields = { type: 'array', items: ANYTHING };
  return {
    metadata: { ...optional, properties: { ...optional.properties, managedFields } },
    spec: spec ?? ANYTHING,
    status: status ?? ANYTHING,
  };
}

const definitionName = (version: string, kind: string): string => `io.istio.networking.${version}.${kind}`;

const groupVersionKind = (version: string, kind: string) => ({ group: GROUP, version, kind });

/** The kind and its list; `prefix` says where the document keeps its schemas. */
function definitions(version: string, prefix: string): Readonly<Record<string, Schema>> {
  const identity = { apiVersion: TEXT, kind: TEXT };
  const entry: Schema = {
    description:
      'ServiceEntry registers hosts: with addresses of their own, or with a virtual IP that each of them is given.',
    type: 'object',
    properties: { ...identity, ...sections() },
    'x-kubernetes-group-version-kind': [groupVersionKind(version, KIND)],
  };
  const list: Schema = {
    description: 'ServiceEntryList is a list of ServiceEntry',
    type: 'object',
    required: ['items'],
    properties: {
      ...identity,
      metadata: ANYTHING,
      items: { type: 'array', items: { $ref: `${prefix}${definitionName(version, KIND)}` } },
    },
    'x-kubernetes-group-version-kind': [groupVersionKind(version, LIST_KIND)],
  };
  return { [definitionName(version, KIND)]: entry, [definitionName(version, LIST_KIND)]: list };
}

/** Clients look here for what a write understands before they send it. */
const WRITE_PARAMETERS: Readonly<Record<string, string>> = {
  dryRun: 'All: judge the write, but change nothing',
  fieldManager: 'who writes',
  fieldValidation: 'Ignore, Warn or Strict: what becomes of unknown fields',
};

const METHODS = [
  { method: 'patch', verb: 'patch', path: '/{name}' },
  { method: 'put', verb: 'replace', path: '/{name}' },
  { method: 'post', verb: 'create', path: '' },
];

type ParameterForm = (name: string, description: string) => object;

function paths(version: string, parameter: ParameterForm): OpenApiV2['paths'] {
  const collection = `/apis/${apiVersionOf(version)}/namespaces/{namespace}/${PLURAL}`;
  const found: Record<string, Record<string, Operation>> = {};
  for (const { method, verb, path } of METHODS) {
    const operation: Operation = {
      operationId: `${verb}NetworkingIstioIo${version}Namespaced${KIND}`,
      parameters: Object.entries(WRITE_PARAMETERS).map(([name, description]) => parameter(name, description)),
      responses: { '200': { description: 'OK' } },
      'x-kubernetes-action': verb,
      'x-kubernetes-group-version-kind': groupVersionKind(version, KIND),
    };
    found[collection + path] = { ...found[collection + path], [method]: operation };
  }
  return found;
}

const info = { title: 'meshdoh', version: VERSION.gitVersion };

export function openApiV2(): OpenApiV2 {
  const parameter: ParameterForm = (name, description) => ({
    name,
    in: 'query',
    type: 'string',
    uniqueItems: true,
    description,
  });
  return {
    swagger: '2.0',
    info,
    paths: Object.assign({}, ...VERSIONS.map((version) => paths(version, parameter))),
    definitions: Object.assign({}, ...VERSIONS.map((version) => definitions(version, '#/definitions/'))),
  };
}

export function openApiV3(version: string): object {
  const parameter: ParameterForm = (name, description) => ({
    name,
    in: 'query',
    description,
    schema: { type: 'string', uniqueItems: true },
  });
  return {
    openapi: '3.0.0',
    info,
    paths: paths(version, parameter),
    components: { schemas: definitions(version, '#/components/schemas/') },
  };
}

/** The name with `@`, which is none in RFC 9110 and yet what older clients ask for, and the one that is. */
const ASKED_AS_PROTOBUF = /^application\/com\.github\.proto-openapi\.spec\.v2(@|\.)v1\.0\+protobuf$/;

const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

const acceptsJson = (type: string): boolean => ['', '*/*', 'application/*', 'application/json'].includes(type);

const NOT_ACCEPTABLE = failure(406, 'NotAcceptable', 'the document is there as application/json and as protobuf');

/** Made when first asked for: functions start without them. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

const json = once(openApiV2);
const protobuf = once(() => encodeOpenApiV2(openApiV2()));

/** Older clients of Kubernetes take nothing but protobuf. */
function sendV2(c: Context): Response {
  const ranges = (c.req.header('accept') ?? '').split(',').map(mediaTypeOf);
  for (const range of ranges) {
    if (acceptsJson(range)) return c.json(json());
    if (ASKED_AS_PROTOBUF.test(range)) return c.body(protobuf(), 200, { 'content-type': PROTOBUF });
  }
  return sendStatus(c, NOT_ACCEPTABLE);
}

/** The kind for `kubectl explain`, and for clients that check objects before they send them. */
export function addOpenApi(app: Hono): void {
  app.get('/openapi/v2', sendV2);
  app.get('/openapi/v3', (c) => {
    const entries = VERSIONS.map((version) => {
      const path = `apis/${apiVersionOf(version)}`;
      return [path, { serverRelativeURL: `/openapi/v3/${path}` }];
    });
    return c.json({ paths: Object.fromEntries(entries) });
  });
  app.get(`/openapi/v3/apis/${GROUP}/:version`, (c) => {
    const { version } = c.req.param();
    return isVersion(version) ? c.json(openApiV3(version)) : sendStatus(c, NO_SUCH_RESOURCE);
  });
}
