import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SocketAddress } from './socket-address.ts';

export interface StatusPages {
  /** In the text format of Prometheus. */
  metrics(): Promise<string>;
  /** `ok`: queries are answered. */
  health(): Promise<{ readonly ok: boolean; readonly body: object }>;
}

export interface StatusServer extends SocketAddress {
  close(): Promise<void>;
}

/** Whoever names another host was led here by somebody else's DNS (rebinding). */
const LOCAL_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;
const TIMEOUT_MS = 5_000;

/** `/metrics` and `/healthz`, for this host only. Rejects with the socket's own error when it cannot bind. */
export async function startStatusServer({ address, port }: SocketAddress, pages: StatusPages): Promise<StatusServer> {
  const server = createServer({ requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS }, (request, response) => {
    const { method = '', url = '' } = request;
    if (!LOCAL_HOST.test(request.headers.host ?? '')) return send(response, 421, 'this is not that host\n');
    if (method !== 'GET' && method !== 'HEAD') return send(response, 405, 'only GET and HEAD\n');
    void page(pages, url.split('?', 1)[0] ?? '').then((page) => send(response, ...page));
  });
  server.maxConnections = 64;
  server.keepAliveTimeout = TIMEOUT_MS;
  server.listen({ host: address, port });
  await once(server, 'listening');
  server.on('error', () => undefined);
  const bound = server.address() as AddressInfo;
  return { address: bound.address, port: bound.port, close: () => closed(server) };
}

type Page = [status: number, text: string, type?: string];

async function page(pages: StatusPages, path: string): Promise<Page> {
  if (path === '/metrics') return [200, await pages.metrics(), 'text/plain; version=0.0.4; charset=utf-8'];
  if (path !== '/healthz') return [404, 'known are /metrics and /healthz\n'];
  const { ok, body } = await pages.health();
  return [ok ? 200 : 503, `${JSON.stringify(body)}\n`, 'application/json'];
}

function send(response: ServerResponse, ...[status, text, type = 'text/plain; charset=utf-8']: Page): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}

async function closed(server: Server): Promise<void> {
  const done = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await done;
}
