import { type Context, Hono } from 'hono';
import { isTokenId, makeToken, tokenHash, tokenIdOf } from '../registry/token-format.ts';
import type { TokenKind, TokenRecord, TokenStore } from '../registry/tokens.ts';
import { readPartialView } from '../table/view-fields.ts';
import { type ApiPorts, badRequest, guard, type JsonObject, readJson, sendStatus } from './api.ts';
import { failure, type Status } from './status.ts';

export interface TokenPorts extends ApiPorts {
  readonly tokens: TokenStore;
  /** Told of the SHA-256 of a token that has just been made or revoked. */
  readonly changed?: (sha256: string) => void;
  readonly now?: () => number;
}

/** What is asked for, as `POST /v1/tokens` takes it. */
type NewToken = Pick<TokenRecord, 'kind' | 'label' | 'view' | 'expiresAt'>;

const LONGEST_LABEL = 128;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const FIELDS: ReadonlySet<string> = new Set(['kind', 'label', 'view', 'expiresAt']);

const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');

const isStatus = (value: object): value is Status => 'status' in value && 'apiVersion' in value;

/** By which people know a credential; or what is wrong with it. */
export function readLabel(label: unknown): { readonly label: string } | Status {
  if (typeof label === 'string' && /^[^\p{Cc}]+$/u.test(label) && label.length <= LONGEST_LABEL) return { label };
  return badRequest(`label: it takes a text of 1 to ${LONGEST_LABEL} characters, to tell this credential from others`);
}

function readKind(kind: unknown): { readonly kind: TokenKind } | Status {
  if (kind === undefined || kind === 'client') return { kind: 'client' };
  return kind === 'admin' ? { kind } : badRequest('kind: it takes "client" or "admin"');
}

function readExpiry(text: unknown, now: number): { readonly expiresAt?: string } | Status {
  if (text === undefined) return {};
  const ms = typeof text === 'string' && RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) return badRequest('expiresAt: it takes a time as in 2026-12-31T23:59:59Z');
  return ms > now ? { expiresAt: rfc3339(ms) } : badRequest('expiresAt: it has passed already');
}

function readNewToken(body: JsonObject, now: number): NewToken | Status {
  const unknown = Object.keys(body).find((field) => !FIELDS.has(field));
  if (unknown !== undefined) return badRequest(`unknown field ${JSON.stringify(unknown.slice(0, 64))}`);
  const kind = readKind(body.kind);
  if (isStatus(kind)) return kind;
  const label = readLabel(body.label);
  if (isStatus(label)) return label;
  const view = readPartialView(body.view ?? {});
  if (!view.ok) return badRequest(view.reason);
  if (kind.kind === 'admin' && body.view !== undefined) return badRequest('view: an administrator token has none');
  const expiry = readExpiry(body.expiresAt, now);
  return isStatus(expiry) ? expiry : { ...kind, ...label, view: view.view, ...expiry };
}

/** Tokens for administrators: made (`POST`, the only time that one is told), listed, revoked (`DELETE` by id). */
export function createTokenApp(ports: TokenPorts): Hono {
  const { tokens, changed, adminTimeoutMs, now = Date.now } = ports;
  const app = new Hono();
  guard(app, '/v1/tokens', ports);
  const deadline = (): AbortSignal => AbortSignal.timeout(adminTimeoutMs);

  async function create(c: Context): Promise<Response> {
    const read = await readJson(c);
    if ('status' in read) return sendStatus(c, read);
    const asked = readNewToken(read.body, now());
    if (isStatus(asked)) return sendStatus(c, asked);
    const token = makeToken();
    const sha256 = tokenHash(token);
    const record: TokenRecord = { id: tokenIdOf(sha256), ...asked, createdAt: rfc3339(now()) };
    await tokens.add(sha256, record, deadline());
    changed?.(sha256);
    return c.json({ token, ...record }, 201);
  }

  app.post('/v1/tokens', create);
  app.get('/v1/tokens', async (c) => c.json({ items: await tokens.list(deadline()) }));
  app.delete('/v1/tokens/:id', async (c) => {
    const { id } = c.req.param();
    const sha256 = isTokenId(id) ? await tokens.revoke(id, deadline()) : undefined;
    if (sha256 === undefined) {
      const what = `there is no token ${JSON.stringify(id)}: an id has twelve digits, as in a list of tokens`;
      return sendStatus(c, failure(404, 'NotFound', what));
    }
    changed?.(sha256);
    return c.json({ id });
  });
  return app;
}
