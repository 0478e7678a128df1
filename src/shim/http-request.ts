import http, { type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import { socketOptions } from '../forward/dial.ts';
import { hostOf, parseUpstream, type Upstream } from '../forward/upstream.ts';

const NO_BODY = Buffer.alloc(0);

/** Sends a request without a body, on a connection of its own; resolves to the head of the response. */
export function requestOnce(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { request } = url.protocol === 'http:' ? http : https;
  request({ host: hostOf(url), port: url.port, path: url.pathname + url.search, agent: false, ...options }, resolve)
    .on('error', reject)
    .end();
  return promise;
}

/** GETs the URL of an upstream, with what its credential adds. Rejects with what `authorize` throws, too. */
export async function getFrom(
  upstream: Upstream,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<IncomingMessage> {
  const endpoint = parseUpstream(upstream);
  const { url, authorize } = endpoint;
  const added = authorize?.({ method: 'GET', url, headers, body: NO_BODY });
  return requestOnce(url, {
    ...socketOptions(endpoint),
    ...(added?.path !== undefined && { path: added.path }),
    headers: { ...headers, ...added?.headers },
    signal: AbortSignal.timeout(timeoutMs),
  });
}
