import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import http2, { type ServerHttp2Stream } from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import type { DnsQuery } from '../../src/dns/query.ts';
import type { ResponseContent } from '../../src/dns/response.ts';
import { type Certificate, createCertificate } from './certificate.ts';
import { decoded, name, query as queryFor, responseWire } from './dns.ts';

/** `h2` offers HTTP/2 only, `h1` HTTP/1.1 only, both over TLS; `plain` is HTTP/1.1 without. */
export type Protocol = 'h2' | 'h1' | 'plain';

export interface UpstreamRequest {
  readonly protocol: Protocol;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly query: DnsQuery;
  /** SNI. */
  readonly servername: string | undefined;
  /** Resolves when the exchange is over: true if the client took the response, false if it did not wait for it. */
  readonly served: Promise<boolean>;
}

export interface HttpResponse {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * A response, or: never answer; RST_STREAM with INTERNAL_ERROR, or with REFUSED_STREAM; half a response, then a reset;
 * GOAWAY that disowns the stream; close the connection; leave it open, but deaf and dumb. Without streams (HTTP/1.1)
 * all kinds of reset close the connection.
 */
export type Action = HttpResponse | 'hang' | 'reset' | 'refuse' | 'cut' | 'goaway' | 'disconnect' | 'blackhole';

export type Script = (request: UpstreamRequest) => Action | Promise<Action>;

const MEDIA_TYPE = { 'content-type': 'application/dns-message' };

/** An A record of 60 seconds, or the content given. */
export function answer(
  { query }: UpstreamRequest,
  content: Partial<ResponseContent> = {},
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  const owner = query.question?.qname ?? name('.');
  const answers = [{ owner, ttl: 60, type: 'A', address: '192.0.2.1' }] as const;
  return { headers: { ...MEDIA_TYPE, ...headers }, body: responseWire(query, { answers, ...content }) };
}

/** Without answers. */
export const rcode = (request: UpstreamRequest, code: number): HttpResponse =>
  answer(request, { rcode: code, answers: [] });

export const withStatus = (request: UpstreamRequest, status: number): HttpResponse => ({ ...answer(request), status });

export const withMediaType = (request: UpstreamRequest, type: string): HttpResponse =>
  answer(request, {}, { 'content-type': type });

export const octets = (body: Buffer, headers: Readonly<Record<string, string>> = {}): HttpResponse => ({
  headers: { ...MEDIA_TYPE, ...headers },
  body,
});

export const garbage = (): HttpResponse => octets(Buffer.from('<!doctype html><title>Sign in to the network</title>'));

/** A fine answer to another question. */
export const wrongQuestion = (): HttpResponse =>
  octets(responseWire(queryFor('elsewhere.example', 'A'), { answers: [] }));

export function wrongId(request: UpstreamRequest): HttpResponse {
  const response = answer(request);
  response.body.writeUInt16BE(0xbeef, 0);
  return response;
}

export interface DohUpstreamOptions {
  readonly protocol?: Protocol;
  readonly script?: Script;
  /** Host of the URL, and name in the certificate. */
  readonly host?: string;
  /** SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly maxStreams?: number;
}

/** A DoH server on loopback that does what its script says. */
export class DohUpstream {
  readonly protocol: Protocol;
  readonly url: string;
  /** The authority to trust; undefined for `plain`. */
  readonly ca: string | undefined;
  /** In order of arrival. */
  readonly requests: UpstreamRequest[] = [];
  script: Script;
  /** Whether new connections are accepted and then ignored. */
  ignoresConnections = false;
  readonly #server: Server;
  readonly #relay: Relay;

  static async start(options: DohUpstreamOptions = {}): Promise<DohUpstream> {
    const { protocol = 'h2', script = (request) => answer(request), host = '127.0.0.1', maxStreams } = options;
    const certificate = createCertificate([host, '127.0.0.1']);
    const server = createServer(protocol, certificate, maxStreams);
    const relay = new Relay(server, () => upstream.ignoresConnections);
    await listen(server);
    await relay.listen();
    const url = `${protocol === 'plain' ? 'http' : 'https'}://${host}:${relay.port}/dns-query`;
    const upstream = new DohUpstream({ protocol, script, url, ca: certificate.ca, server, relay });
    return upstream;
  }

  private constructor(parts: {
    protocol: Protocol;
    script: Script;
    url: string;
    ca: string;
    server: Server;
    relay: Relay;
  }) {
    this.protocol = parts.protocol;
    this.url = parts.url;
    this.ca = parts.protocol === 'plain' ? undefined : parts.ca;
    this.script = parts.script;
    this.#server = parts.server;
    this.#relay = parts.relay;
    if (parts.protocol === 'h2') this.#server.on('stream', (stream, headers) => this.#onStream(stream, headers));
    else this.#server.on('request', (request, response) => this.#onRequest(request, response));
  }

  /** Connections accepted so far. */
  get connections(): number {
    return this.#relay.accepted;
  }

  get openConnections(): number {
    return this.#relay.open;
  }

  /** The qnames asked so far. */
  get qnames(): string[] {
    return this.requests.map(({ query }) => query.question?.qname ?? '');
  }

  /** From now on nothing passes over the connections there are, in either direction, and none is closed. */
  blackhole(): void {
    this.#relay.blackhole();
  }

  async close(): Promise<void> {
    await this.#relay.close();
    this.#server.close();
  }

  async #onStream(stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders): Promise<void> {
    stream.on('error', ignore);
    const { socket } = stream.session ?? {};
    const request = await this.#record(stream, headers, {
      method: headers[':method'] ?? '',
      path: headers[':path'] ?? '',
      authority: headers[':authority'] ?? '',
      servername: sniOf(socket),
      served: new Promise((resolve) => stream.on('close', () => resolve(stream.rstCode === 0))),
    });
    const action = request && (await this.script(request));
    if (action === undefined || stream.destroyed) return;
    if (typeof action !== 'object') {
      this.#misbehave(action, stream);
      return;
    }
    stream.respond({ ':status': action.status ?? 200, ...action.headers });
    stream.end(action.body);
  }

  #misbehave(action: Exclude<Action, HttpResponse>, stream: ServerHttp2Stream): void {
    const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM, NGHTTP2_NO_ERROR } = http2.constants;
    if (action === 'reset') stream.close(NGHTTP2_INTERNAL_ERROR);
    if (action === 'refuse') stream.close(NGHTTP2_REFUSED_STREAM);
    if (action === 'goaway') {
      stream.session?.goaway(NGHTTP2_NO_ERROR, (stream.id ?? 0) - 2);
      // Node has no way to say that not even the first stream was processed.
      if (stream.id === 1) stream.close(NGHTTP2_REFUSED_STREAM);
    }
    if (action === 'disconnect') stream.session?.destroy();
    if (action === 'blackhole') this.blackhole();
    if (action === 'cut') {
      stream.respond({ ':status': 200, ...MEDIA_TYPE });
      stream.write(Buffer.alloc(20), () => stream.destroy(new Error('cut short')));
    }
  }

  async #onRequest(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers, socket } = message;
    const request = await this.#record(message, headers, {
      method,
      path,
      authority: headers.host ?? '',
      servername: sniOf(socket),
      served: new Promise((resolve) => response.on('close', () => resolve(response.writableFinished))),
    });
    const action = request && (await this.script(request));
    if (action === undefined || response.destroyed || action === 'hang') return;
    if (action === 'blackhole') this.blackhole();
    else if (action === 'cut') response.writeHead(200, MEDIA_TYPE).write(Buffer.alloc(20), () => socket.destroy());
    else if (typeof action !== 'object') socket.destroy();
    else response.writeHead(action.status ?? 200, { ...action.headers }).end(action.body);
  }

  async #record(
    stream: Readable,
    headers: IncomingHttpHeaders,
    head: Pick<UpstreamRequest, 'method' | 'path' | 'authority' | 'servername' | 'served'>,
  ): Promise<UpstreamRequest | undefined> {
    const body = await buffer(stream).catch(() => undefined);
    if (body === undefined) return undefined;
    const request = { ...head, protocol: this.protocol, headers, body, query: decoded(body) };
    this.requests.push(request);
    return request;
  }
}

/** Stands before the server, so that a connection can go silent without either end closing it. */
class Relay {
  accepted = 0;
  readonly #pairs = new Set<readonly [Socket, Socket | undefined]>();
  readonly #server: Server;

  constructor(backend: Server, ignores: () => boolean) {
    this.#server = net.createServer({ noDelay: true }, (client) => {
      this.accepted++;
      const behind = ignores() ? undefined : net.connect({ port: portOf(backend), host: '127.0.0.1', noDelay: true });
      const pair = [client, behind] as const;
      this.#pairs.add(pair);
      client.on('error', ignore).on('close', () => {
        this.#pairs.delete(pair);
        behind?.destroy();
      });
      behind?.on('error', ignore).on('close', () => client.destroySoon());
      if (behind) client.pipe(behind).pipe(client);
    });
  }

  get port(): number {
    return portOf(this.#server);
  }

  get open(): number {
    return this.#pairs.size;
  }

  listen(): Promise<void> {
    return listen(this.#server);
  }

  blackhole(): void {
    for (const [client, behind] of this.#pairs) {
      client.unpipe().pause();
      behind?.unpipe().pause();
    }
  }

  async close(): Promise<void> {
    for (const [client, behind] of this.#pairs) {
      client.destroy();
      behind?.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function createServer(protocol: Protocol, { key, cert }: Certificate, maxStreams = 1_000): Server {
  if (protocol === 'plain') return http.createServer();
  if (protocol === 'h1') return https.createServer({ key, cert });
  return http2.createSecureServer({ key, cert, settings: { maxConcurrentStreams: maxStreams } });
}

const listen = (server: Server): Promise<void> => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

function sniOf(socket: Partial<Pick<TLSSocket, 'servername'>> | net.Socket | undefined): string | undefined {
  const { servername } = (socket ?? {}) as Partial<TLSSocket>;
  return typeof servername === 'string' ? servername : undefined;
}

const ignore = (): void => undefined;
