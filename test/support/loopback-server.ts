import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { Hono } from 'hono';
import { createApp } from '../../src/http/app.ts';
import { createDohTransaction } from '../../src/http/doh-transaction.ts';
import { openCredentials } from '../../src/http/local-credentials.ts';
import { startNodeServer } from '../../src/http/node-server.ts';
import { createAnswering, hostRecord } from './answering.ts';
import { createCertificate } from './certificate.ts';
import { queryWire } from './dns.ts';
import { DEFAULT_VIEW } from './registry.ts';

/** The server as it runs, with or without TLS, and another client of it that behaves. */
export interface LoopbackServer {
  readonly port: number;
  /** Faults that nobody but the operator is told of. */
  readonly faults: unknown[];
  /** A socket to it, with HTTP/2 negotiated where the server has TLS; errors of it are nobody's concern. */
  connect(): Promise<net.Socket>;
  /** Resolves to the HTTP status of a good query on a connection of its own, whatever else the server is doing. */
  serve(authority?: string): Promise<number>;
  /** Closes the server, and leaves the clients alone. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export const GOOD_TARGET = `/dns-query?dns=${queryWire('one.internal').toString('base64url')}`;

const { ca, cert, key } = createCertificate();

export async function startLoopbackServer(
  protocol: 'HTTP/1.1' | 'HTTP/2',
  requestTimeoutMs = 10_000,
): Promise<LoopbackServer> {
  const secure = protocol === 'HTTP/2';
  const { exchange } = createAnswering([hostRecord('one.internal')]);
  const doh = createDohTransaction({ exchange, credentials: openCredentials(DEFAULT_VIEW), queryTimeoutMs: 1500 });
  const faults: unknown[] = [];
  const report = (error: unknown) => faults.push(error);
  const app = createApp({ doh, admin: new Hono(), report });
  const address = { address: '127.0.0.1', port: 0 };
  const server = await startNodeServer({
    ...address,
    doh,
    app,
    report,
    requestTimeoutMs,
    ...(secure ? { tls: { cert, key } } : {}),
  });
  const { port } = server;
  const sockets = new Set<net.Socket>();
  return {
    port,
    faults,
    async connect() {
      const socket = secure
        ? tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca, ALPNProtocols: ['h2'] })
        : net.connect(port, '127.0.0.1');
      socket.on('error', () => socket.destroy());
      sockets.add(socket);
      const { promise, resolve } = Promise.withResolvers<void>();
      socket.once(secure ? 'secureConnect' : 'connect', resolve);
      socket.once('close', resolve);
      await promise;
      return socket;
    },
    serve: (authority = 'localhost') => (secure ? statusOverHttp2(port, authority) : statusOverHttp1(port)),
    stop: () => server.close(),
    async close() {
      for (const socket of sockets) socket.destroy();
      await server.close();
    },
  };
}

function statusOverHttp1(port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  http
    .get({ host: '127.0.0.1', port, path: GOOD_TARGET, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
    .on('error', reject);
  return promise;
}

async function statusOverHttp2(port: number, authority: string): Promise<number> {
  const session = http2.connect(`https://localhost:${port}`, { ca });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  session.on('error', reject);
  const stream = session.request({ ':path': GOOD_TARGET, ':authority': authority });
  stream.on('response', (headers) => resolve(headers[':status'] ?? 0));
  stream.on('error', reject);
  stream.resume();
  return promise.finally(() => session.close());
}

export const closed = (socket: net.Socket): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (socket.closed) resolve();
  else socket.once('close', () => resolve());
  // What is not read keeps a socket open.
  socket.resume();
  return promise;
};
