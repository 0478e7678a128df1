import { randomInt } from 'node:crypto';
import type { Context } from 'hono';
import { parseManifest } from '../../serviceentry/manifest.ts';
import type { ServiceEntry } from '../../serviceentry/service-entry.ts';
import { validateServiceEntry } from '../../serviceentry/validate.ts';
import { badRequest, isObject, type JsonObject, readText } from '../api.ts';
import { mediaTypeOf } from '../message.ts';
import { failure, invalidObject, type Status } from '../status.ts';
import { readFieldValidation, withoutUnknownFields } from './field-validation.ts';
import { apiVersionOf } from './resource.ts';

export interface ReadEntry {
  readonly entry: ServiceEntry;
  readonly warnings: readonly string[];
}

export const OBJECT_TYPES = ['application/json', 'application/yaml'];

export const unsupportedMediaType = (allowed: readonly string[]): Status =>
  failure(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${allowed.join(', ')}`,
  );

export const bodyType = (c: Context): string => mediaTypeOf(c.req.header('content-type') ?? '');

/** The one value in the body, JSON or YAML. */
export async function readValue(c: Context): Promise<{ readonly value: unknown } | Status> {
  const body = await readText(c);
  if (typeof body !== 'string') return body;
  const { documents, errors } = parseManifest(body, 'body');
  if (errors[0]) return badRequest(errors[0].message);
  const [document, ...more] = documents;
  if (!document || more.length > 0) return badRequest(`the body must hold one object, not ${documents.length}`);
  return { value: document.value };
}

const metadataOf = (value: JsonObject): JsonObject => (isObject(value.metadata) ? value.metadata : {});

/** What the path says must not contradict what the object says. */
function contradiction(value: JsonObject, c: Context): Status | undefined {
  const expected = apiVersionOf(c.req.param('version') ?? '');
  const { apiVersion } = value;
  if (typeof apiVersion === 'string' && apiVersion.startsWith('networking.istio.io/') && apiVersion !== expected) {
    return badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  for (const field of ['namespace', 'name']) {
    const inPath = c.req.param(field);
    const inObject = metadataOf(value)[field];
    if (inPath === undefined || inObject === undefined || inObject === '' || inObject === inPath) continue;
    return badRequest(
      `the ${field} of the provided object does not match the ${field} sent on the request ` +
        `(${JSON.stringify(inObject)} and ${JSON.stringify(inPath)})`,
    );
  }
  return undefined;
}

/** Without vowels and what looks alike, as Kubernetes has it: no words come out. */
const SUFFIX_CHARACTERS = 'bcdfghjklmnpqrstvwxz2456789';
const MAX_GENERATED_BASE = 58;

function generatedName(base: string): string {
  const suffix = Array.from({ length: 5 }, () => SUFFIX_CHARACTERS[randomInt(SUFFIX_CHARACTERS.length)]);
  return base.slice(0, MAX_GENERATED_BASE) + suffix.join('');
}

function nameOf({ name, generateName }: JsonObject, c: Context): { readonly name?: string } {
  const inPath = c.req.param('name');
  if (inPath !== undefined) return { name: inPath };
  const isNamed = name !== undefined && name !== null && name !== '';
  return !isNamed && typeof generateName === 'string' ? { name: generatedName(generateName) } : {};
}

/** The object with what only the path says of it. */
const placed = (value: JsonObject, c: Context): JsonObject => ({
  ...value,
  metadata: { ...metadataOf(value), namespace: c.req.param('namespace'), ...nameOf(metadataOf(value), c) },
});

/** The ServiceEntry that the value is, validated; or why it is none. */
export function readEntry(c: Context, value: unknown): ReadEntry | Status {
  const fieldValidation = readFieldValidation(c.req.query('fieldValidation'));
  if (typeof fieldValidation === 'object') return fieldValidation;
  if (!isObject(value)) return badRequest('the body is not an object');
  const refused = contradiction(value, c);
  if (refused) return refused;
  const object = placed(value, c);
  const known = fieldValidation === 'Strict' ? { value: object, warnings: [] } : withoutUnknownFields(object);
  const result = validateServiceEntry(known.value);
  if (result.ok) {
    const unknown = fieldValidation === 'Warn' ? known.warnings : [];
    return { entry: result.entry, warnings: [...unknown, ...result.warnings] };
  }
  const { name } = metadataOf(object);
  return invalidObject(typeof name === 'string' ? name : '', result.errors);
}
