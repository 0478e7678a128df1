import type { Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { PoolMismatchError, RegistryUnavailableError } from '../registry/errors.ts';
import type { Credentials } from './credentials.ts';
import { isForPage } from './host-check.ts';
import { failure, type Status } from './status.ts';
import { readWebBody } from './web-body.ts';

/** What every API for administrators needs. */
export interface ApiPorts {
  readonly credentials: Credentials;
  /** Deadline of one request, in milliseconds: what a contended write may take. */
  readonly adminTimeoutMs: number;
  /** Told of faults that the client only sees as an internal error. */
  readonly report?: (error: unknown) => void;
}

/** Far above any entry that the store can hold, and any token of a run. */
const MAX_BODY_OCTETS = 1024 * 1024;

export const NO_SUCH_RESOURCE = failure(404, 'NotFound', 'the server could not find the requested resource');
const UNAUTHORIZED = failure(401, 'Unauthorized', 'an administrator token is needed: --token-file, MESHDOH_TOKEN_FILE');
const FOR_PAGE = failure(403, 'Forbidden', 'without credentials, no web page may administer');
const TOO_LARGE = failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_OCTETS}`);

export const sendStatus = (c: Context, status: Status): Response =>
  c.json(status, (status.code ?? 200) as ContentfulStatusCode);

export const badRequest = (message: string): Status => failure(400, 'BadRequest', message);

/** Lets administrators alone reach `prefix`, and tells faults as a `Status` without their stack. No cache keeps any of it. */
export function guard(app: Hono, prefix: string, { credentials, report }: ApiPorts): void {
  app.onError((error, c) => {
    if (error instanceof RegistryUnavailableError || error instanceof PoolMismatchError) {
      c.header('Retry-After', '1');
      return sendStatus(c, failure(503, 'ServiceUnavailable', error.message, { retryAfterSeconds: 1 }));
    }
    report?.(error);
    return sendStatus(c, failure(500, 'InternalError', 'Internal error occurred'));
  });
  app.use(`${prefix}/*`, async (c, next) => {
    c.header('Cache-Control', 'no-store');
    if (credentials.open && isForPage((name) => c.req.header(name))) return sendStatus(c, FOR_PAGE);
    if (await credentials.isAdministrator(c.req.header('authorization'))) return next();
    c.header('WWW-Authenticate', 'Bearer realm="meshdoh"');
    return sendStatus(c, UNAUTHORIZED);
  });
}

/** The body as text, or why it is not taken. */
export async function readText(c: Context): Promise<string | Status> {
  const body = await readWebBody(c.req.raw.body, MAX_BODY_OCTETS);
  return body.length > MAX_BODY_OCTETS ? TOO_LARGE : body.toString();
}

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The body as a JSON object, an absent one as an empty one. */
export async function readJson(c: Context): Promise<{ readonly body: JsonObject } | Status> {
  const text = await readText(c);
  if (typeof text !== 'string') return text;
  if (text === '') return { body: {} };
  try {
    const body: unknown = JSON.parse(text);
    return isObject(body) ? { body } : badRequest('the body is not a JSON object');
  } catch {
    return badRequest('the body is not JSON');
  }
}
