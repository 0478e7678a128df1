import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { ROOT } from '../../src/dns/name.ts';
import type { DnsQuery } from '../../src/dns/query.ts';
import type { ResponseContent } from '../../src/dns/response.ts';
import type { MeshTable } from '../../src/table/mesh-table.ts';
import { tableJson } from '../../src/table/parse-table.ts';
import { type Certificate, createCertificate } from './certificate.ts';
import { decoded, responseWire } from './dns.ts';

export interface EndpointRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** Of a POST. */
  readonly query: DnsQuery | undefined;
}

export type Responder = (query: DnsQuery) => Partial<ResponseContent> | 'hang';

/**
 * A DoH endpoint with a table, on loopback, over HTTP/2 and HTTP/1.1 with TLS. It can be taken away and brought back at
 * the same address, and its connections can go silent.
 */
export class MeshEndpoint {
  readonly ca: string;
  readonly requests: EndpointRequest[] = [];
  /** How queries are answered: an A record of 60 seconds unless this says otherwise. */
  respond: Responder = ({ question }) => ({
    answers: [{ owner: question?.qname ?? ROOT, ttl: 60, type: 'A', address: '192.0.2.1' }],
  });
  /** Instead of 200, for every request. */
  status = 200;
  /** Before every response. */
  delayMs = 0;
  /** Undefined: 404, as of a plain DoH server. */
  table: MeshTable | undefined;
  readonly port: number;
  readonly #sessions = new Set<{ destroy(): void }>();
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #certificate: Certificate;
  #server: http2.Http2SecureServer | undefined;
  #relay: net.Server | undefined;

  static async start(certificate: Certificate = createCertificate(['localhost', '127.0.0.1'])): Promise<MeshEndpoint> {
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const endpoint = new MeshEndpoint(certificate, port);
    await endpoint.bringBack();
    return endpoint;
  }

  private constructor(certificate: Certificate, port: number) {
    this.#certificate = certificate;
    this.ca = certificate.ca;
    this.port = port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}/dns-query`;
  }

  /** Of the queries so far. */
  get qnames(): string[] {
    return this.requests.flatMap(({ query }) => query?.question?.qname ?? []);
  }

  get tableRequests(): EndpointRequest[] {
    return this.requests.filter(({ method }) => method === 'GET');
  }

  async bringBack(certificate = this.#certificate): Promise<void> {
    const server = http2.createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
      void this.#onRequest(request, response);
    });
    server.on('session', (session) => this.#sessions.add(session));
    server.on('secureConnection', (socket) => this.#sessions.add(socket));
    server.on('sessionError', () => undefined).on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const relay = net.createServer({ noDelay: true }, (client) => this.#onConnection(client, port));
    await new Promise<void>((resolve) => relay.listen(this.port, '127.0.0.1', resolve));
    this.#server = server;
    this.#relay = relay;
  }

  /** Connections are refused from now on, and those there are end. */
  async takeAway(): Promise<void> {
    for (const [client, behind] of this.#pairs) {
      client.destroy();
      behind.destroy();
    }
    for (const session of this.#sessions) session.destroy();
    this.#sessions.clear();
    await new Promise((resolve) => this.#relay?.close(resolve) ?? resolve(undefined));
    this.#server?.close();
    this.#relay = undefined;
  }

  /** From now on nothing passes over the connections there are, in either direction, and none is closed. */
  blackhole(): void {
    for (const [client, behind] of this.#pairs) {
      client.unpipe().pause();
      behind.unpipe().pause();
    }
  }

  #onConnection(client: Socket, port: number): void {
    const behind = net.connect({ port, host: '127.0.0.1', noDelay: true });
    const pair = [client, behind] as const;
    this.#pairs.add(pair);
    client
      .on('error', () => undefined)
      .on('close', () => {
        this.#pairs.delete(pair);
        behind.destroy();
      });
    behind.on('error', () => undefined).on('close', () => client.destroySoon());
    client.pipe(behind).pipe(client);
  }

  async #onRequest(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    const { method, url: path, headers } = request;
    const body = await buffer(request).catch(() => undefined);
    if (body === undefined) return;
    const query = method === 'POST' ? decoded(body) : undefined;
    this.requests.push({ method, path, headers, body, query });
    if (this.delayMs > 0) await sleep(this.delayMs);
    if (response.stream?.destroyed) return;
    if (this.status !== 200) {
      response.writeHead(this.status).end();
      return;
    }
    if (query === undefined) return this.#sendTable(headers['if-none-match'], response);
    const content = this.respond(query);
    if (content === 'hang') return;
    response.writeHead(200, { 'content-type': 'application/dns-message' }).end(responseWire(query, content));
  }

  #sendTable(ifNoneMatch: string | undefined, response: Http2ServerResponse): void {
    if (this.table === undefined) {
      response.writeHead(404).end();
      return;
    }
    const json = tableJson(this.table);
    const etag = `"${json.length}-${this.table.hosts.map(({ host }) => host).join('+')}"`;
    if (ifNoneMatch === etag) response.writeHead(304, { etag }).end();
    else
      response
        .writeHead(200, { etag, 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync(json));
  }
}
