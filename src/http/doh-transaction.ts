import { EdeCode, Rcode } from '../dns/constants.ts';
import { decodeQuery } from '../dns/query.ts';
import { encodeResponse, type ResponseContent } from '../dns/response.ts';
import type { Exchange, Exchanged } from '../resolve/exchange.ts';
import type { Resolution } from '../resolve/resolver.ts';
import { narrowView, type View } from '../table/view.ts';
import { type AnswerForm, DNS_JSON, DNS_MESSAGE } from './accept.ts';
import type { Claimed, ClientCredential, Credentials } from './credentials.ts';
import { readDohRequest } from './doh-request.ts';
import { type DohParameters, type DohTarget, dohParameters, dohTarget } from './doh-target.ts';
import { jsonAnswer } from './json-answer.ts';
import { type HttpRequest, type HttpResponse, notFound, textResponse, unavailable, whenKnown } from './message.ts';

export interface DohPorts {
  readonly exchange: Pick<Exchange, 'answer'>;
  readonly credentials: Credentials;
  /** Deadline of a whole query, in milliseconds. */
  readonly queryTimeoutMs: number;
}

/** One DoH exchange over HTTP, whoever carries it: server, hono, or function. A cached answer is there at once. */
export type DohTransaction = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

type Chosen = Pick<ViewCredential, 'chosenBy'>;
type ViewCredential = Extract<ClientCredential, { kind: 'view' }>;
type Deadline = () => AbortSignal;

const METHODS = 'GET, HEAD, POST, OPTIONS';
const ALLOWED: ReadonlySet<string> = new Set(METHODS.split(', '));
const NO_BODY = new Uint8Array();

const NOT_READY: ResponseContent = {
  rcode: Rcode.servFail,
  ede: { code: EdeCode.notReady, text: 'the registry cannot be read' },
};

/** Without credentials a page of any origin could read the registry of the machine its reader sits at: no CORS then. */
function preflight(credentials: Credentials): HttpResponse {
  const cors = {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': 'Accept, Authorization, Content-Type',
    'access-control-max-age': '86400',
  };
  return { status: 204, headers: { allow: METHODS, ...(credentials.open ? {} : cors) }, body: NO_BODY };
}

function cacheControl(maxAge: number | undefined, { chosenBy }: Chosen): string {
  if (maxAge === undefined) return 'no-store';
  return chosenBy === 'settings' ? `max-age=${maxAge}` : `private, max-age=${maxAge}`;
}

const vary = ({ chosenBy }: Chosen): string => (chosenBy === 'header' ? 'Accept, Authorization' : 'Accept');

const NOTHING_CLAIMED: Claimed = {};

/** What a request says of whom it comes from. */
export function claimed(request: HttpRequest, pathToken: string | undefined): Claimed {
  const authorization = request.header('authorization');
  const { principal } = request;
  if (pathToken === undefined && authorization === undefined && principal === undefined) return NOTHING_CLAIMED;
  return {
    ...(principal === undefined ? {} : { principal }),
    ...(pathToken === undefined ? {} : { pathToken }),
    ...(authorization === undefined ? {} : { authorization }),
  };
}

/** The clock starts at the first call. */
function deadlineOf(timeoutMs: number): Deadline {
  let signal: AbortSignal | undefined;
  return () => {
    signal ??= AbortSignal.timeout(timeoutMs);
    return signal;
  };
}

function bodyOf(wire: Buffer, form: AnswerForm): Uint8Array {
  return form === DNS_JSON ? Buffer.from(`${JSON.stringify(jsonAnswer(wire) ?? {})}\n`) : wire;
}

function narrowed(view: View, { vips, families }: DohParameters): View | undefined {
  return vips === undefined && families === undefined ? view : narrowView(view, { vips, families });
}

/** The DoH endpoint as one plain function (RFC 8484): every outcome is a response, and none carries a stack. */
export function createDohTransaction({ exchange, credentials, queryTimeoutMs }: DohPorts): DohTransaction {
  function respond({ wire, maxAge }: Resolution, form: AnswerForm, credential: Chosen): HttpResponse {
    const body = bodyOf(wire, form);
    const headers: Record<string, string> = {
      'content-type': form,
      'content-length': String(body.length),
      'cache-control': cacheControl(maxAge, credential),
      vary: vary(credential),
    };
    if (form === DNS_JSON) headers['x-content-type-options'] = 'nosniff';
    if (!credentials.open) headers['access-control-allow-origin'] = '*';
    return { status: 200, headers, body };
  }

  const answer = (exchanged: Exchanged, form: AnswerForm, credential: ViewCredential): HttpResponse =>
    'malformed' in exchanged
      ? textResponse(400, `not a DNS query: ${exchanged.malformed}`)
      : respond(exchanged, form, credential);

  function ask(
    request: HttpRequest,
    query: string,
    credential: ViewCredential,
    deadline: Deadline,
  ): HttpResponse | Promise<HttpResponse> {
    if (request.method === 'OPTIONS') return preflight(credentials);
    if (!ALLOWED.has(request.method)) return textResponse(405, `use ${METHODS}`, { allow: METHODS });
    const parameters = dohParameters(query);
    const view = narrowed(credential.view, parameters);
    if (!view) return textResponse(400, '"vips" takes 0 or 1, "families" takes 4, 6 or 4,6');
    const asked = readDohRequest(request, parameters);
    if ('status' in asked) return asked;
    return whenKnown(exchange.answer(asked.wire, view, deadline), (exchanged) =>
      answer(exchanged, asked.form, credential),
    );
  }

  /** As for a name that cannot be looked up: to a resolver both are the same trouble (RFC 8914 section 4.15). */
  function notReady(request: HttpRequest, query: string): HttpResponse {
    const asked = ALLOWED.has(request.method) ? readDohRequest(request, dohParameters(query)) : unavailable();
    if ('status' in asked) return asked;
    const decoded = decodeQuery(asked.wire);
    if (!decoded.ok) return textResponse(400, `not a DNS query: ${decoded.reason}`);
    const wire = encodeResponse(decoded.query, NOT_READY);
    return respond({ wire, source: 'error', maxAge: undefined }, asked.form, { chosenBy: 'header' });
  }

  function admit(
    request: HttpRequest,
    query: string,
    credential: ClientCredential,
    deadline: Deadline,
  ): HttpResponse | Promise<HttpResponse> {
    switch (credential.kind) {
      case 'unknownPath':
        return notFound();
      case 'unauthorized':
        return textResponse(401, 'a valid token is needed', { 'www-authenticate': 'Bearer realm="meshdoh"' });
      case 'unavailable':
        return notReady(request, query);
      case 'view':
        return ask(request, query, credential, deadline);
    }
  }

  function transact(request: HttpRequest, { pathToken, query }: DohTarget): HttpResponse | Promise<HttpResponse> {
    // A browser's preflight carries no credential.
    if (request.method === 'OPTIONS' && pathToken === undefined) return preflight(credentials);
    const deadline = deadlineOf(queryTimeoutMs);
    return whenKnown(credentials.client(claimed(request, pathToken), deadline), (credential) =>
      admit(request, query, credential, deadline),
    );
  }

  return (request) => {
    const target = dohTarget(request.target);
    if (!target) return notFound();
    const response = transact(request, target);
    return request.method === 'HEAD' ? whenKnown(response, withoutBody) : response;
  };
}

const withoutBody = (response: HttpResponse): HttpResponse => ({ ...response, body: NO_BODY });

/** What the endpoint answers with, for those that must know which bodies are binary. */
export const isBinary = ({ headers }: HttpResponse): boolean =>
  headers['content-type'] === DNS_MESSAGE || headers['content-encoding'] !== undefined;
