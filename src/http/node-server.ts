import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { type DohTransaction, dohTarget } from './doh-transaction.ts';
import { isLoopbackAddress, namesLoopback } from './host-check.ts';
import { textResponse } from './message.ts';
import { dohListener, type NodeRequest, type NodeResponse, send } from './node-adapter.ts';

export interface NodeServerOptions {
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** HTTPS with HTTP/2 and HTTP/1.1; without it, HTTP/1.1 in clear. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly doh: DohTransaction;
  /** Everything that is not DoH. */
  readonly app: Hono;
  readonly report: (error: unknown) => void;
}

export interface NodeServer {
  readonly address: string;
  readonly port: number;
  /** Stops accepting, lets what is under way finish for a moment, then closes what is left. */
  close(): Promise<void>;
}

/** A client that sends its request slower than this holds a socket for nothing. */
const REQUEST_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 75_000;
const CLOSE_GRACE_MS = 2_000;
const MAX_CONNECTIONS = 10_000;
const MAX_STREAMS = 250;

type Listener = (request: NodeRequest, response: NodeResponse) => void;

function createServer(options: NodeServerOptions, listener: Listener): http.Server | http2.Http2SecureServer {
  const limits = {
    headersTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
  };
  if (!options.tls) return http.createServer(limits, listener);
  const server = http2.createSecureServer(
    {
      ...options.tls,
      ...limits,
      allowHTTP1: true,
      minVersion: 'TLSv1.2',
      settings: { maxConcurrentStreams: MAX_STREAMS, enablePush: false },
    },
    listener,
  );
  server.setTimeout(IDLE_TIMEOUT_MS);
  return server;
}

/** Routes a request to DoH or to the app; a listener on loopback first asks whom it was meant for. */
function createListener(options: NodeServerOptions): Listener {
  const doh = dohListener(options.doh, options.report);
  const app = getRequestListener(options.app.fetch, { overrideGlobalObjects: false });
  const loopback = isLoopbackAddress(options.address);
  return (request, response) => {
    const host = (request.headers[':authority'] ?? request.headers.host) as string | undefined;
    if (loopback && !namesLoopback(host)) {
      request.resume();
      send(response, textResponse(421, 'this listener answers requests for localhost only'), false);
      return;
    }
    const carried = dohTarget(request.url ?? '/') ? doh(request, response) : app(request, response);
    Promise.resolve(carried).catch(options.report);
  };
}

/** Listens, with every connection bounded in time and number. */
export async function startNodeServer(options: NodeServerOptions): Promise<NodeServer> {
  const server = createServer(options, createListener(options));
  const sessions = new Set<http2.Http2Session>();
  server.on('session', (session: http2.ServerHttp2Session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
  });
  (server as Server).maxConnections = MAX_CONNECTIONS;
  await listening(server, options);
  const { address, port } = server.address() as AddressInfo;
  return { address, port, close: () => closeGracefully(server, sessions) };
}

function listening(server: http.Server | http2.Http2SecureServer, { address, port }: NodeServerOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: address, port }, () => {
    server.off('error', reject);
    resolve();
  });
  return promise;
}

async function closeGracefully(
  server: http.Server | http2.Http2SecureServer,
  sessions: ReadonlySet<http2.Http2Session>,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  for (const session of sessions) session.close();
  if ('closeIdleConnections' in server) server.closeIdleConnections();
  const timer = setTimeout(() => {
    for (const session of sessions) session.destroy();
    if ('closeAllConnections' in server) server.closeAllConnections();
  }, CLOSE_GRACE_MS);
  await promise;
  clearTimeout(timer);
}
