import { randomUUID } from 'node:crypto';
import type { WireObject } from './dynalite-operations.ts';
import { asServiceError, serializationError, validationError } from './service-error.ts';

/** What of an HTTP request DynamoDB's protocol (AWS JSON 1.0) uses. */
export interface WireRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface WireResponse {
  statusCode: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** Throws a ServiceError for a body that is no JSON object. */
export function parseRequest({ headers, body }: WireRequest): { operation: string; input: WireObject } {
  return { operation: headers['x-amz-target']?.split('.')[1] ?? '', input: parseBody(body) };
}

function parseBody(body: unknown): WireObject {
  const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : String(body ?? '{}');
  const input = parseJson(text);
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw serializationError('Start of structure expected');
  }
  return input as WireObject;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, text.includes('"__proto__"') ? refuseProto : undefined);
  } catch (error) {
    throw asServiceError(error) ?? serializationError('The body is not JSON');
  }
}

/** dynalite would lose an attribute of this name without a word. */
function refuseProto(key: string, value: unknown): unknown {
  if (key === '__proto__' || value === '__proto__') {
    throw validationError('The embedded store does not support the attribute name __proto__');
  }
  return value;
}

/** Refusals are responses; faults of the store reject. */
export async function respond(call: () => Promise<WireObject>): Promise<WireResponse> {
  try {
    return json(200, await call());
  } catch (error) {
    const refusal = asServiceError(error);
    if (refusal) return json(refusal.statusCode, refusal.body);
    throw error;
  }
}

function json(statusCode: number, body: object): WireResponse {
  const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': randomUUID() };
  return { statusCode, headers, body: new TextEncoder().encode(JSON.stringify(body)) };
}
