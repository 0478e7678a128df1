import http from 'node:http';
import http2 from 'node:http2';
import { Hono } from 'hono';
import { createApp } from '../../src/http/app.ts';
import type { Credentials } from '../../src/http/credentials.ts';
import { createDohTransaction, type DohTransaction } from '../../src/http/doh-transaction.ts';
import { dohHandler } from '../../src/http/lambda-adapter.ts';
import { startNodeServer } from '../../src/http/node-server.ts';
import type { Exchange } from '../../src/resolve/exchange.ts';
import { createCertificate } from './certificate.ts';
import { bodyOf, httpEvent } from './http-event.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Sent {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** One way to carry a request to the DoH transaction. */
export interface Driver {
  send(sent: Sent): Promise<Reply>;
  close(): Promise<void>;
}

export type Carrier = 'function' | 'hono' | 'HTTP/1.1' | 'HTTP/2 over TLS' | 'events';

export const CARRIERS: readonly Carrier[] = ['function', 'hono', 'HTTP/1.1', 'HTTP/2 over TLS', 'events'];

const NOTHING = new Uint8Array();

const fail = (error: unknown): never => {
  throw error;
};

const appOf = (doh: DohTransaction) => createApp({ doh, admin: new Hono(), report: fail });

function overFunction(doh: DohTransaction): Driver {
  return {
    send: async ({ method = 'GET', target = '/dns-query', headers = {}, body = NOTHING }) => {
      const answer = await doh({ method, target, header: (name) => headers[name], body });
      return { ...answer, body: Buffer.from(answer.body) };
    },
    close: () => Promise.resolve(),
  };
}

function overHono(doh: DohTransaction): Driver {
  const app = appOf(doh);
  return {
    send: async ({ method = 'GET', target = '/dns-query', headers = {}, body }) => {
      const answer = await app.request(target, { method, headers, ...(body ? { body: Buffer.from(body) } : {}) });
      const entries = Object.fromEntries(answer.headers);
      return { status: answer.status, headers: entries, body: Buffer.from(await answer.arrayBuffer()) };
    },
    close: () => Promise.resolve(),
  };
}

async function overHttp1(doh: DohTransaction): Promise<Driver> {
  const server = await startNodeServer({ address: '127.0.0.1', port: 0, doh, app: appOf(doh), report: fail });
  const agent = new http.Agent({ keepAlive: true });
  return {
    send: ({ method = 'GET', target = '/dns-query', headers = {}, body }) => {
      const { promise, resolve, reject } = Promise.withResolvers<Reply>();
      const request = http.request(
        { host: '127.0.0.1', port: server.port, method, path: target, headers, agent },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers as Record<string, string>,
              body: Buffer.concat(chunks),
            }),
          );
        },
      );
      request.on('error', reject);
      request.end(body);
      return promise;
    },
    close: async () => {
      agent.destroy();
      await server.close();
    },
  };
}

async function overHttp2(doh: DohTransaction): Promise<Driver> {
  const { ca, cert, key } = createCertificate();
  const server = await startNodeServer({
    address: '127.0.0.1',
    port: 0,
    tls: { cert, key },
    doh,
    app: appOf(doh),
    report: fail,
  });
  const session = http2.connect(`https://localhost:${server.port}`, { ca });
  return {
    send: ({ method = 'GET', target = '/dns-query', headers = {}, body }) => {
      const { promise, resolve, reject } = Promise.withResolvers<Reply>();
      const stream = session.request(
        { ':method': method, ':path': target, ...headers },
        { endStream: body === undefined },
      );
      const chunks: Buffer[] = [];
      let got: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
      stream.on('response', (head) => {
        got = head;
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () =>
        resolve({ status: got[':status'] ?? 0, headers: got as Record<string, string>, body: Buffer.concat(chunks) }),
      );
      stream.on('error', reject);
      if (body) stream.end(body);
      return promise;
    },
    close: async () => {
      session.close();
      await server.close();
    },
  };
}

function overEvents(doh: DohTransaction): Driver {
  const handler = dohHandler({ signed: doh, unsigned: doh });
  return {
    send: async (sent) => {
      const result = await handler(httpEvent(sent));
      return { status: result.statusCode, headers: result.headers, body: bodyOf(result) };
    },
    close: () => Promise.resolve(),
  };
}

const OPEN: Readonly<Record<Carrier, (doh: DohTransaction) => Driver | Promise<Driver>>> = {
  function: overFunction,
  hono: overHono,
  'HTTP/1.1': overHttp1,
  'HTTP/2 over TLS': overHttp2,
  events: overEvents,
};

/** The transaction behind a carrier, on loopback. */
export async function openDriver(
  carrier: Carrier,
  exchange: Pick<Exchange, 'answer'>,
  credentials: Credentials,
): Promise<Driver> {
  return OPEN[carrier](createDohTransaction({ exchange, credentials, queryTimeoutMs: 1500 }));
}
