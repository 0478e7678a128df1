import { type Context, Hono } from 'hono';
import { MAX_QUERY_OCTETS } from './doh-request.ts';
import type { DohTransaction } from './doh-transaction.ts';
import { type HttpResponse, textResponse } from './message.ts';

/** A body up to one octet over the limit, so that whatever is longer is seen to be. */
async function readBody(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (body) {
    for await (const chunk of body) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_QUERY_OCTETS) break;
    }
  }
  return Buffer.concat(chunks);
}

const webResponse = ({ status, headers, body }: HttpResponse): Response =>
  new Response(status === 204 || body.length === 0 ? null : Buffer.from(body), { status, headers: { ...headers } });

async function carry(doh: DohTransaction, c: Context): Promise<Response> {
  const { pathname, search } = new URL(c.req.url);
  const body = await readBody(c.req.raw.body);
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
