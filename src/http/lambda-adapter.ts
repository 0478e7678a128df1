import type { Hono } from 'hono';
import { type DohTransaction, isBinary } from './doh-transaction.ts';
import type { HttpResponse } from './message.ts';
import { failure } from './status.ts';

/** What is used of an event of payload format 2.0: API Gateway's HTTP APIs and function URLs send it. */
export interface HttpEvent {
  /** Without the query. API Gateway decodes it, a function URL does not. */
  readonly rawPath: string;
  readonly rawQueryString: string;
  /** Lower-case names; several values of a field are joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isBase64Encoded: boolean;
  readonly requestContext: {
    readonly domainName: string;
    readonly http: { readonly method: string };
    /** `iam` is there only when the gateway has verified a signature and IAM allows its signer to call the route. */
    readonly authorizer?: { readonly iam?: { readonly userArn?: string } | null };
  };
}

export interface HttpResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

/** A fault rejects: the runtime logs and counts it, and the gateway answers 500. */
export type HttpHandler = (event: HttpEvent) => Promise<HttpResult>;

/** A signed request's path is that of the endpoint, below this. */
const SIGNED_PREFIX = /^\/iam(?=\/)/;

/** Told by the gateway's own word: the path is the client's to choose. */
const isSigned = ({ requestContext }: HttpEvent): boolean => Boolean(requestContext.authorizer?.iam);

function signerOf({ requestContext }: HttpEvent): { principal?: string } {
  const arn = requestContext.authorizer?.iam?.userArn;
  return arn === undefined ? {} : { principal: arn };
}

/** A decoded path may hold what would end a path. */
function targetOf({ rawPath, rawQueryString }: HttpEvent): string {
  const path = rawPath.replaceAll(/[?#]/g, encodeURIComponent);
  return rawQueryString === '' ? path : `${path}?${rawQueryString}`;
}

const bodyOf = ({ body = '', isBase64Encoded }: HttpEvent): Buffer<ArrayBuffer> =>
  Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');

/**
 * Whatever its client takes: the table of a large registry fits into a function's answer (6 MB, base64) when it is
 * compressed, and not otherwise.
 */
const acceptEncoding = { 'accept-encoding': 'gzip' };

function resultOf(response: HttpResponse): HttpResult {
  const { status, headers, body } = response;
  const binary = isBinary(response);
  return {
    statusCode: status,
    headers,
    body: Buffer.from(body).toString(binary ? 'base64' : 'utf8'),
    isBase64Encoded: binary,
  };
}

/** DoH behind a gateway, for signed requests (`/iam/dns-query`) and for all others. */
export function dohHandler(transactions: {
  readonly signed: DohTransaction;
  readonly unsigned: DohTransaction;
}): HttpHandler {
  return async (event) => {
    const headers: HttpEvent['headers'] = { ...event.headers, ...acceptEncoding };
    const request = {
      method: event.requestContext.http.method,
      target: targetOf(event),
      header: (name: string) => headers[name],
      body: bodyOf(event),
    };
    if (!isSigned(event)) return resultOf(await transactions.unsigned(request));
    const target = request.target.replace(SIGNED_PREFIX, '');
    return resultOf(await transactions.signed({ ...request, ...signerOf(event), target }));
  };
}

/** Field values as octets, which is what `Headers` takes: the gateway sends them decoded. */
const octets = (value: string): string => Buffer.from(value).toString('latin1');

function webRequest(event: HttpEvent): Request {
  const { domainName, http } = event.requestContext;
  const hasBody = http.method !== 'GET' && http.method !== 'HEAD';
  return new Request(`https://${domainName}${targetOf(event)}`, {
    method: http.method,
    headers: Object.entries({ ...event.headers, ...acceptEncoding }).map(([name, value]): [string, string] => [
      name,
      octets(value),
    ]),
    ...(hasBody ? { body: bodyOf(event) } : {}),
  });
}

/** An app for signed requests only. A route that was left open by mistake must not open the app. */
export function signedAppHandler(app: Hono): HttpHandler {
  const unsigned = failure(401, 'Unauthorized', 'the request must be signed (AWS Signature Version 4)');
  return async (event) => {
    const response = isSigned(event) ? await app.fetch(webRequest(event)) : Response.json(unsigned, { status: 401 });
    const isHead = event.requestContext.http.method === 'HEAD';
    return resultOf({
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: isHead ? new Uint8Array() : new Uint8Array(await response.arrayBuffer()),
    });
  };
}
