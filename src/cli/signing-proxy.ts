import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { isForPage, namesLoopback } from '../http/host-check.ts';
import { readBody } from '../http/node-body.ts';
import { failure, type Status } from '../http/status.ts';
import { type AwsCredentials, type SignedRequest, type SigningScope, signRequest } from './sign-request.ts';

export interface SigningProxyOptions {
  /** Where requests go. */
  readonly server: URL;
  /** PEM of the authorities to trust instead of the usual ones. */
  readonly ca?: string;
  readonly scope: SigningScope;
  /** Asked for each request: temporary credentials change. */
  readonly credentials: () => Promise<AwsCredentials>;
  readonly port: number;
  readonly now: () => number;
}

export interface SigningProxy {
  readonly port: number;
  close(): Promise<void>;
}

const ADDRESS = '127.0.0.1';
/** As much as the server takes. */
const LIMITS = { octets: 1024 * 1024, timeoutMs: 10_000 };
const TOO_LARGE = failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${LIMITS.octets}`);

/** Of one connection, or replaced here. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const forwarded = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_FORWARDED.has(name)));

function refuse(response: ServerResponse, status: Status): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(status.code ?? 500, { 'content-type': 'application/json' }).end(JSON.stringify(status));
}

/** Whoever can make a browser send requests here would have them signed: no page may, whatever its name leads to. */
const isFromPage = ({ headers }: IncomingMessage): boolean =>
  !namesLoopback(headers.host) || isForPage((name) => headers[name]?.toString());

function readWhole(request: IncomingMessage): Promise<Buffer | Status> {
  const { promise, resolve } = Promise.withResolvers<Buffer | Status>();
  readBody(request, LIMITS, (body, whole) => resolve(whole ? body : TOO_LARGE));
  return promise;
}

/** The request with its signature, as it goes to the server. */
async function signed(request: IncomingMessage, body: Buffer, options: SigningProxyOptions): Promise<SignedRequest> {
  const { server, scope, credentials, now } = options;
  const { method = 'GET', url = '/', headers } = request;
  const contentType = headers['content-type'];
  const toSign = {
    method,
    host: server.host,
    target: server.pathname.replace(/\/$/, '') + url,
    ...(contentType === undefined ? {} : { contentType }),
    ...(body.length > 0 ? { body } : {}),
  };
  return signRequest(toSign, scope, await credentials(), now());
}

async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  options: SigningProxyOptions,
): Promise<void> {
  if (isFromPage(request)) return refuse(response, failure(403, 'Forbidden', 'this proxy answers no web page'));
  const body = await readWhole(request);
  if ('status' in body) return refuse(response, body);
  const { server, ca } = options;
  const { target, headers } = await signed(request, body, options);
  const call = (server.protocol === 'https:' ? https : http).request(server, {
    method: request.method,
    path: target,
    headers: { ...forwarded(request.headers), ...headers },
    ...(ca === undefined ? {} : { ca }),
  });
  response.on('close', () => {
    if (!response.writableFinished) call.destroy();
  });
  call.on('error', (error) => refuse(response, failure(502, 'BadGateway', `${server.origin}: ${error.message}`)));
  call.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, forwarded(answer.headers));
    // A watch begins before anything happens.
    response.flushHeaders();
    pipeline(answer, response, () => undefined);
  });
  call.end(body);
}

/** Listens on loopback, and sends every request on with a signature (AWS Signature Version 4), answers as they come. */
export async function startSigningProxy(options: SigningProxyOptions): Promise<SigningProxy> {
  const server = http.createServer((request, response) => {
    forward(request, response, options).catch((error: Error) =>
      refuse(response, failure(500, 'InternalError', error.message)),
    );
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen({ host: ADDRESS, port: options.port }, resolve);
  await promise;
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}
