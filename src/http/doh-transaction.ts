import { decodeQuery } from '../dns/query.ts';
import { cacheSeconds } from '../dns/walk.ts';
import type { Resolution, Resolver } from '../resolve/resolver.ts';
import { narrowView, type View } from '../table/view.ts';
import { DNS_JSON, DNS_MESSAGE } from './accept.ts';
import type { Claimed, ClientCredential, Credentials } from './credentials.ts';
import { type DohQuery, readDohRequest } from './doh-request.ts';
import { jsonAnswer } from './json-answer.ts';
import { type HttpRequest, type HttpResponse, notFound, textResponse } from './message.ts';

export interface DohPorts {
  readonly resolver: Resolver;
  readonly credentials: Credentials;
  /** Deadline of a whole query, in milliseconds. */
  readonly queryTimeoutMs: number;
}

/** One DoH exchange over HTTP, whoever carries it: server, hono, or function. */
export type DohTransaction = (request: HttpRequest) => Promise<HttpResponse>;

type ViewCredential = Extract<ClientCredential, { kind: 'view' }>;

const METHODS = 'GET, HEAD, POST, OPTIONS';

/** `/dns-query`, or `/{token}/dns-query`. */
const PATH = /^\/(?:([\w-]{1,256})\/)?dns-query$/;

interface Target {
  readonly pathToken?: string;
  readonly query: URLSearchParams;
}

export function dohTarget(target: string): Target | undefined {
  const end = target.indexOf('?');
  const match = PATH.exec(end === -1 ? target : target.slice(0, end));
  if (!match) return undefined;
  const query = new URLSearchParams(end === -1 ? '' : target.slice(end));
  return match[1] === undefined ? { query } : { pathToken: match[1], query };
}

/** Without credentials a page of any origin could read the registry of the machine its reader sits at: no CORS then. */
function preflight(credentials: Credentials): HttpResponse {
  const cors = {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': 'Accept, Authorization, Content-Type',
    'access-control-max-age': '86400',
  };
  return { status: 204, headers: { allow: METHODS, ...(credentials.open ? {} : cors) }, body: new Uint8Array() };
}

function cacheControl(resolution: Resolution, credential: ViewCredential): string {
  const seconds = cacheSeconds(resolution.wire);
  if (seconds === undefined) return 'no-store';
  const age = `max-age=${Math.max(0, seconds - resolution.age)}`;
  return credential.chosenBy === 'settings' ? age : `private, ${age}`;
}

const vary = (credential: ViewCredential): string =>
  credential.chosenBy === 'header' ? 'Accept, Authorization' : 'Accept';

function claimed(request: HttpRequest, pathToken: string | undefined): Claimed {
  const authorization = request.header('authorization');
  return {
    ...(pathToken === undefined ? {} : { pathToken }),
    ...(authorization === undefined ? {} : { authorization }),
  };
}

function bodyOf(wire: Buffer, form: DohQuery['form']): Uint8Array {
  return form === DNS_JSON ? Buffer.from(`${JSON.stringify(jsonAnswer(wire) ?? {})}\n`) : wire;
}

/** The DoH endpoint as one plain function (RFC 8484): every outcome is a response, and none carries a stack. */
export function createDohTransaction({ resolver, credentials, queryTimeoutMs }: DohPorts): DohTransaction {
  async function answer(
    asked: DohQuery,
    view: View,
    credential: ViewCredential,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const decoded = decodeQuery(asked.wire);
    if (!decoded.ok) return textResponse(400, `not a DNS query: ${decoded.reason}`);
    const resolution = await resolver.resolve(decoded.query, view, signal);
    const body = bodyOf(resolution.wire, asked.form);
    return {
      status: 200,
      headers: {
        'content-type': asked.form,
        'content-length': String(body.length),
        'cache-control': cacheControl(resolution, credential),
        vary: vary(credential),
        'x-content-type-options': 'nosniff',
        ...(credentials.open ? {} : { 'access-control-allow-origin': '*' }),
      },
      body,
    };
  }

  async function ask(
    request: HttpRequest,
    query: URLSearchParams,
    credential: ViewCredential,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    if (request.method === 'OPTIONS') return preflight(credentials);
    if (!METHODS.split(', ').includes(request.method)) return textResponse(405, `use ${METHODS}`, { allow: METHODS });
    const view = narrowView(credential.view, {
      vips: query.get('vips') ?? undefined,
      families: query.get('families') ?? undefined,
    });
    if (!view) return textResponse(400, '"vips" takes 0 or 1, "families" takes 4, 6 or 4,6');
    const asked = readDohRequest(request, query);
    return 'status' in asked ? asked : answer(asked, view, credential, signal);
  }

  async function transact(request: HttpRequest, { pathToken, query }: Target): Promise<HttpResponse> {
    // A browser's preflight carries no credential.
    if (request.method === 'OPTIONS' && pathToken === undefined) return preflight(credentials);
    const signal = AbortSignal.timeout(queryTimeoutMs);
    const credential = await credentials.client(claimed(request, pathToken), signal);
    switch (credential.kind) {
      case 'unknownPath':
        return notFound();
      case 'unauthorized':
        return textResponse(401, 'a valid token is needed', { 'www-authenticate': 'Bearer realm="meshdoh"' });
      case 'view':
        return ask(request, query, credential, signal);
    }
  }

  return async (request) => {
    const target = dohTarget(request.target);
    if (!target) return notFound();
    const response = await transact(request, target);
    return request.method === 'HEAD' ? { ...response, body: new Uint8Array() } : response;
  };
}

/** What the endpoint answers with, for those that must know which bodies are binary. */
export const isBinary = (response: HttpResponse): boolean => response.headers['content-type'] === DNS_MESSAGE;
