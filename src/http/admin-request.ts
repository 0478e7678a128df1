import type { Context } from 'hono';
import { parseManifest } from '../serviceentry/manifest.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { validateServiceEntry } from '../serviceentry/validate.ts';
import { badRequest, isObject, type JsonObject, readText } from './api.ts';
import { mediaTypeOf } from './message.ts';
import { failure, invalidObject, type Status } from './status.ts';

export interface ReadObject {
  readonly entry: ServiceEntry;
  readonly warnings: readonly string[];
}

/** What each verb takes. PATCH is server-side apply by one manager: the object given is the object that shall be. */
const MEDIA_TYPES: Readonly<Record<string, readonly string[]>> = {
  POST: ['application/json', 'application/yaml'],
  PUT: ['application/json', 'application/yaml'],
  PATCH: ['application/apply-patch+yaml'],
};

const metadataOf = (value: JsonObject): JsonObject => (isObject(value.metadata) ? value.metadata : {});

/** The namespace and name of the path must not contradict those of the object. */
function contradiction(value: JsonObject, c: Context): Status | undefined {
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

/** The object with what only the path says of it. */
function placed(value: JsonObject, c: Context): unknown {
  const name = c.req.param('name');
  const place = { namespace: c.req.param('namespace'), ...(name === undefined ? {} : { name }) };
  return { ...value, metadata: { ...metadataOf(value), ...place } };
}

/** The one ServiceEntry in the body, validated; or why there is none. */
export async function readObject(c: Context): Promise<ReadObject | Status> {
  const allowed = MEDIA_TYPES[c.req.method] ?? [];
  if (!allowed.includes(mediaTypeOf(c.req.header('content-type') ?? ''))) {
    return failure(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${allowed.join(', ')}`,
    );
  }
  const body = await readText(c);
  if (typeof body !== 'string') return body;
  const { documents, errors } = parseManifest(body, 'body');
  if (errors[0]) return badRequest(errors[0].message);
  const [document, ...more] = documents;
  if (!document || more.length > 0) return badRequest(`the body must hold one object, not ${documents.length}`);
  if (!isObject(document.value)) return badRequest('the body is not an object');
  const refused = contradiction(document.value, c);
  if (refused) return refused;
  const result = validateServiceEntry(placed(document.value, c));
  if (result.ok) return { entry: result.entry, warnings: result.warnings };
  const name = c.req.param('name') ?? metadataOf(document.value).name;
  return invalidObject(typeof name === 'string' ? name : '', result.errors);
}
