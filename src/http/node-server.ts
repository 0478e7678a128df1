import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2, { type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { isLoopback } from '../dns/loopback.ts';
import { AwaitedAnswers } from './awaited-answers.ts';
import { limitPerAddress } from './connection-limit.ts';
import { MAX_QUERY_OCTETS } from './doh-request.ts';
import { dohTarget } from './doh-target.ts';
import type { DohTransaction } from './doh-transaction.ts';
import { namesLoopback } from './host-check.ts';
import { textResponse } from './message.ts';
import { dohOverHttp1, sendOverHttp1 } from './node-http1.ts';
import { dohOverHttp2, refuseOverHttp2 } from './node-http2.ts';

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
  /** Told first when the server is to close: answers that would go on have to end. */
  readonly closing?: () => void;
  /** A client that takes longer to connect, or to send a request, holds a socket for nothing; 10 s by default. */
  readonly requestTimeoutMs?: number;
  /** A connection on which nothing moves is closed, unless its client waits for more of an answer; 75 s by default. */
  readonly idleTimeoutMs?: number;
}

export interface NodeServer {
  readonly address: string;
  readonly port: number;
  /** That clients have open now. */
  readonly connections: number;
  /** Stops accepting, lets what is under way finish for a moment, then closes what is left. */
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 75_000;
const CLOSE_GRACE_MS = 2_000;
const CLOSE_IDLE_MS = 50;
const MAX_CONNECTIONS = 10_000;
/** Of one client, or of one network behind one address: it must leave room for others. */
const MAX_CONNECTIONS_OF_ONE = MAX_CONNECTIONS / 2;

/** Of one connection with HTTP/1.1. */
const http1Limits = ({
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
  idleTimeoutMs = IDLE_TIMEOUT_MS,
}: NodeServerOptions): http.ServerOptions => ({
  headersTimeout: requestTimeoutMs,
  requestTimeout: requestTimeoutMs,
  keepAliveTimeout: idleTimeoutMs,
  connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 5),
});

/** Of one HTTP/2 session: what an honest client never needs, and a flood soon does. */
const SESSION_LIMITS: http2.ServerOptions = {
  settings: {
    maxConcurrentStreams: 250,
    enablePush: false,
    // Four times the largest query: bodies that nobody reads fill no more than this for each stream.
    initialWindowSize: 16_384,
    // As much as node:http takes of HTTP/1.1, pairs included.
    maxHeaderListSize: 16_384,
  },
  maxHeaderListPairs: 64,
  // Megabytes; the default would let each of the connections take 10.
  maxSessionMemory: 4,
  // Streams beyond those allowed are a client's mistake for the time it takes our settings to arrive, no longer.
  maxSessionRejectedStreams: 250,
  // Rapid reset: as many cancelled streams as may be open at once, then as many in a second as a hasty client cancels.
  streamResetBurst: 250,
  streamResetRate: 50,
  maxSettings: 16,
  maxOutstandingPings: 4,
};

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;
type StreamListener = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  rawHeaders: string[],
) => void;

/** DoH, on its short way. */
interface Listeners {
  readonly request: RequestListener;
  readonly stream: StreamListener;
}

const WRONG_HOST = textResponse(421, 'this listener answers requests for localhost only');

/** Routes a request to DoH or to the app; a listener on loopback first asks whom it was meant for. */
function createListeners(options: NodeServerOptions, awaited: AwaitedAnswers, otherwise: StreamListener): Listeners {
  const { doh, report, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const limits = { octets: MAX_QUERY_OCTETS, timeoutMs: requestTimeoutMs };
  const overHttp1 = dohOverHttp1(doh, limits, report);
  const overHttp2 = dohOverHttp2(doh, limits, report);
  const app = getRequestListener(options.app.fetch, { overrideGlobalObjects: false });
  const loopback = isLoopback(options.address);
  let meant: string | undefined;
  /** A client says the same in each of its requests. */
  const isMeant = (host: string | undefined): boolean => {
    if (!loopback) return true;
    if (host !== meant && namesLoopback(host)) meant = host;
    return host !== undefined && host === meant;
  };
  return {
    request(request, response) {
      const host = request.headers[':authority'] ?? request.headers.host;
      if (!isMeant(host as string | undefined)) sendOverHttp1(response, WRONG_HOST, request.httpVersionMajor === 1);
      else if (dohTarget(request.url ?? '/')) overHttp1(request, response);
      else {
        awaited.add(request, response);
        Promise.resolve(app(request, response)).catch(report);
      }
    },
    stream(stream, headers, flags, rawHeaders) {
      if (!isMeant(headers[':authority'] ?? headers.host)) refuseOverHttp2(stream, WRONG_HOST);
      else if (dohTarget(headers[':path'] ?? '/')) overHttp2(stream, headers, flags);
      else otherwise(stream, headers, flags, rawHeaders);
    },
  };
}

function createPlainServer(options: NodeServerOptions, awaited: AwaitedAnswers): http.Server {
  return http.createServer(http1Limits(options), createListeners(options, awaited, () => undefined).request);
}

/** HTTP/2, and HTTP/1.1 for those who do not speak it. */
function createTlsServer(
  options: NodeServerOptions,
  awaited: AwaitedAnswers,
  tls: NonNullable<NodeServerOptions['tls']>,
): http2.Http2SecureServer {
  const server = http2.createSecureServer({
    ...tls,
    ...http1Limits(options),
    ...SESSION_LIMITS,
    allowHTTP1: true,
    minVersion: 'TLSv1.2',
    handshakeTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
  });
  const listeners = createListeners(options, awaited, (...stream) => imitate?.apply(server, stream));
  server.on('request', listeners.request);
  // That listener brought another one, which turns every stream into objects that imitate HTTP/1.1. The app needs them.
  const [imitate] = server.listeners('stream');
  server.removeAllListeners('stream');
  server.on('stream', listeners.stream);
  return server;
}

type AnyServer = http.Server | http2.Http2SecureServer;

/** What has to end before a server has closed. */
interface Connections {
  readonly sessions: ReadonlySet<http2.Http2Session>;
  /** Of all kinds: also of sessions that have closed, but whose client has not. */
  readonly sockets: ReadonlySet<Socket>;
}

function track(server: AnyServer): Connections {
  const sessions = new Set<http2.Http2Session>();
  const sockets = new Set<Socket>();
  server.on('session', (session: http2.ServerHttp2Session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  return { sessions, sockets };
}

/** Ends connections on which nothing moves, unless a client waits there for more of an answer. */
function endIdle(server: AnyServer, awaited: AwaitedAnswers, idleTimeoutMs: number): void {
  const judge = (connection: Socket | http2.ServerHttp2Session): void => {
    if (awaited.has(connection)) connection.setTimeout(idleTimeoutMs);
    else connection.destroy();
  };
  server.setTimeout(idleTimeoutMs);
  server.on('timeout', judge);
  // Of a session, the server tells only the first time.
  server.on('session', (session: http2.ServerHttp2Session) => session.on('timeout', () => judge(session)));
}

/** Listens, with every connection bounded in time and number. */
export async function startNodeServer(options: NodeServerOptions): Promise<NodeServer> {
  const awaited = new AwaitedAnswers();
  const server = options.tls ? createTlsServer(options, awaited, options.tls) : createPlainServer(options, awaited);
  endIdle(server, awaited, options.idleTimeoutMs ?? IDLE_TIMEOUT_MS);
  const connections = track(server);
  (server as Server).maxConnections = MAX_CONNECTIONS;
  limitPerAddress(server, MAX_CONNECTIONS_OF_ONE);
  await listening(server, options);
  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
    get connections() {
      return connections.sockets.size;
    },
    close: () => {
      options.closing?.();
      return closeGracefully(server, connections);
    },
  };
}

function listening(server: AnyServer, { address, port }: NodeServerOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: address, port }, () => {
    server.off('error', reject);
    resolve();
  });
  return promise;
}

async function closeGracefully(server: AnyServer, { sessions, sockets }: Connections): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  for (const session of sessions) session.close();
  // A connection that still answers becomes idle later.
  const idle = setInterval(() => 'closeIdleConnections' in server && server.closeIdleConnections(), CLOSE_IDLE_MS);
  const timer = setTimeout(() => {
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
  }, CLOSE_GRACE_MS);
  await promise;
  clearInterval(idle);
  clearTimeout(timer);
}
