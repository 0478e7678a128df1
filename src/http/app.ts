import { type Context, Hono } from 'hono';
import { MAX_QUERY_OCTETS } from './doh-request.ts';
import type { DohTransaction } from './doh-transaction.ts';
import { type HttpResponse, textResponse } from './message.ts';
import { readWebBody } from './web-body.ts';

const webResponse = ({ status, headers, body }: HttpResponse): Response =>
  new Response(status === 204 || body.length === 0 ? null : Buffer.from(body), { status, headers: { ...headers } });

/** For a client that went away in the middle: its own doing, no fault, and nobody reads it. */
const CUT_SHORT = textResponse(400, 'the request was cut short');

/** Carries a request of hono's to a plain transaction, and its response back. */
export async function carry(doh: DohTransaction, c: Context): Promise<Response> {
  const { pathname, search } = new URL(c.req.url);
  const body = await readWebBody(c.req.raw.body, MAX_QUERY_OCTETS).catch(() => undefined);
  if (!body) return webResponse(CUT_SHORT);
  return webResponse(
    await doh({ method: c.req.method, target: pathname + search, header: (name) => c.req.header(name), body }),
  );
}

export interface AppPorts {
  readonly doh: DohTransaction;
  /** The administration API. */
  readonly admin: Hono;
  readonly report: (error: unknown) => void;
}

/** meshdoh as one hono app, which runs wherever hono does. Servers with a faster way to the DoH transaction take it. */
export function createApp({ doh, admin, report }: AppPorts): Hono {
  const app = new Hono();
  app.onError((error) => {
    report(error);
    return webResponse(textResponse(500, 'internal error'));
  });
  app.route('/', admin);
  app.all('*', (c) => carry(doh, c));
  return app;
}
