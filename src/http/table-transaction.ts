import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { RegistryUnavailableError } from '../registry/errors.ts';
import { narrowView, type View } from '../table/view.ts';
import { isNamespace } from '../table/view-fields.ts';
import type { ClientCredential, Credentials } from './credentials.ts';
import { claimed, type DohTransaction } from './doh-transaction.ts';
import { type HttpRequest, type HttpResponse, notFound, textResponse, unavailable } from './message.ts';
import type { ServedTable, TableCache } from './table-cache.ts';

export interface TablePorts {
  readonly tables: Pick<TableCache, 'find'>;
  readonly credentials: Credentials;
  /** Of the settings; an administrator may ask for any namespace's. */
  readonly view: View;
  /** Deadline of telling who asks, in milliseconds. */
  readonly queryTimeoutMs: number;
}

/** Where a request for the table goes. */
interface TableTarget {
  readonly pathToken: string | undefined;
  /** Without its question mark. */
  readonly query: string;
}

type ViewCredential = Extract<ClientCredential, { kind: 'view' }>;

const ENDPOINT = /^(?:\/([\w-]{1,256}))?\/v1\/table(?:\?(.*))?$/s;
const METHODS = 'GET, HEAD';
const ALLOWED: ReadonlySet<string> = new Set(METHODS.split(', '));
const NO_BODY = new Uint8Array();
const PARAMETERS: ReadonlySet<string> = new Set(['vips', 'families', 'namespace']);

const inflate = promisify(gunzip);

/** `/v1/table` or `/{token}/v1/table`; undefined for all other targets. */
export function tableTarget(target: string): TableTarget | undefined {
  const match = ENDPOINT.exec(target);
  return match ? { pathToken: match[1], query: match[2] ?? '' } : undefined;
}

/** Whether the field (RFC 9110 section 12.5.3) takes gzip; one that is absent asks for nothing in particular. */
export function acceptsGzip(field: string | undefined): boolean {
  const codings = (field ?? '').split(',').map((coding) =>
    coding
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/),
  );
  const weightOf = (name: string) => codings.find(([coding]) => coding === name)?.find((part) => part.startsWith('q='));
  const isListed = (name: string) => codings.some(([coding]) => coding === name);
  const isRefused = (name: string) => /^q=0(\.0*)?$/.test(weightOf(name) ?? '');
  return isListed('gzip') ? !isRefused('gzip') : isListed('*') && !isRefused('*');
}

/** Whether `If-None-Match` names the tag: weak comparison, since all codings of a table have one tag. */
export function isHeld(field: string | undefined, tag: string): boolean {
  if (field === undefined) return false;
  return field.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === `"${tag}"`);
}

const vary = ({ chosenBy }: ViewCredential): string =>
  chosenBy === 'header' ? 'Accept-Encoding, Authorization' : 'Accept-Encoding';

const refuseParameters = (): HttpResponse =>
  textResponse(400, '"vips" takes 0 or 1, "families" takes 4, 6 or 4,6; administrators may give a "namespace"');

const UNAUTHORIZED = { 'www-authenticate': 'Bearer realm="meshdoh"' };

/** A view's table over HTTP: a plain function, like the DoH transaction. */
export function createTableTransaction(ports: TablePorts): (request: HttpRequest) => Promise<HttpResponse> {
  const { tables, credentials, queryTimeoutMs } = ports;

  /** The view of any namespace is for administrators, who need not be clients too. */
  async function administratorOf(request: HttpRequest, namespace: string): Promise<ClientCredential> {
    try {
      if (!(await credentials.isAdministrator(request.header('authorization')))) return { kind: 'unauthorized' };
      return { kind: 'view', view: { ...ports.view, namespace }, chosenBy: 'header' };
    } catch (error) {
      if (error instanceof RegistryUnavailableError) return { kind: 'unavailable' };
      throw error;
    }
  }

  function credentialOf(request: HttpRequest, pathToken: string | undefined, namespace: string | null) {
    if (pathToken === undefined && namespace !== null) return administratorOf(request, namespace);
    return credentials.client(claimed(request, pathToken), () => AbortSignal.timeout(queryTimeoutMs));
  }

  async function respond(request: HttpRequest, served: ServedTable, credential: ViewCredential): Promise<HttpResponse> {
    const { tag, body: compressed, age } = served;
    const headers = {
      etag: `W/"${tag}"`,
      'cache-control': 'private, no-cache',
      vary: vary(credential),
      ...(age > 0 ? { age: String(age) } : {}),
    };
    if (!compressed) return { status: 304, headers, body: NO_BODY };
    const asGzip = acceptsGzip(request.header('accept-encoding'));
    const body = asGzip ? compressed : await inflate(compressed);
    return {
      status: 200,
      headers: {
        'content-type': 'application/json',
        ...(asGzip ? { 'content-encoding': 'gzip' } : {}),
        'content-length': String(body.length),
        'x-content-type-options': 'nosniff',
        ...headers,
      },
      body,
    };
  }

  async function ask(
    request: HttpRequest,
    parameters: URLSearchParams,
    credential: ViewCredential,
  ): Promise<HttpResponse> {
    const text = (name: string) => parameters.get(name) ?? undefined;
    const view = narrowView(credential.view, { vips: text('vips'), families: text('families') });
    const isKnown = [...parameters.keys()].every((name) => PARAMETERS.has(name));
    if (!view || !isKnown || (text('namespace') ?? view.namespace) !== view.namespace || !isNamespace(view.namespace)) {
      return refuseParameters();
    }
    const served = await tables.find(view, (tag) => isHeld(request.header('if-none-match'), tag));
    return served ? respond(request, served, credential) : unavailable();
  }

  async function transact(request: HttpRequest, { pathToken, query }: TableTarget): Promise<HttpResponse> {
    const parameters = new URLSearchParams(query);
    const credential = await credentialOf(request, pathToken, parameters.get('namespace'));
    switch (credential.kind) {
      case 'unknownPath':
        return notFound();
      case 'unavailable':
        return unavailable();
      case 'unauthorized':
        return textResponse(401, 'a valid token is needed', UNAUTHORIZED);
      case 'view':
        if (!ALLOWED.has(request.method)) return textResponse(405, `use ${METHODS}`, { allow: METHODS });
        return ask(request, parameters, credential);
    }
  }

  return async (request) => {
    const target = tableTarget(request.target);
    if (!target) return notFound();
    const response = await transact(request, target);
    return request.method === 'HEAD' ? { ...response, body: NO_BODY } : response;
  };
}

/** One function for both endpoints. Nearly everything is DNS, which one look at the target tells. */
export function withTable(doh: DohTransaction, table: ReturnType<typeof createTableTransaction>): DohTransaction {
  return (request) =>
    request.target.includes('/v1/table') && tableTarget(request.target) ? table(request) : doh(request);
}
