import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { socketOptions } from '../forward/dial.ts';
import { hostOf, parseUpstream, type Upstream } from '../forward/upstream.ts';
import { MAX_TABLE_OCTETS } from '../table/parse-table.ts';
import { messageOf } from './message-of.ts';

export type TableReply =
  | { readonly kind: 'table'; readonly json: string; readonly etag: string | undefined }
  | { readonly kind: 'unchanged' }
  /** 404: a plain DoH server, or a token that is not known any more. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly message: string };

/** For the largest table over a slow line. */
const TIMEOUT_MS = 20_000;
const NO_BODY = Buffer.alloc(0);

const unzip = promisify(gunzip);

/** `/v1/table` next to the DoH URL, with its parameters: same origin, same prefix. */
export function tableUrlOf(endpoint: string): string {
  const url = new URL(endpoint);
  url.pathname = url.pathname.replace(/[^/]*$/, 'v1/table');
  return url.href;
}

/** The endpoint, asked for answers without virtual IPs. */
export function withoutVips(endpoint: string): string {
  const url = new URL(endpoint);
  url.searchParams.set('vips', '0');
  return url.href;
}

/** Asks for the table. Never rejects. */
export async function fetchTable(upstream: Upstream, etag: string | undefined): Promise<TableReply> {
  try {
    return await replyOf(await request(upstream, etag));
  } catch (error) {
    return { kind: 'failed', message: messageOf(error) };
  }
}

function request(upstream: Upstream, etag: string | undefined): Promise<IncomingMessage> {
  const endpoint = parseUpstream(upstream);
  const { url, authorize } = endpoint;
  const headers: Record<string, string> = {
    accept: 'application/json',
    'accept-encoding': 'gzip',
    ...(etag !== undefined && { 'if-none-match': etag }),
  };
  const added = authorize?.({ method: 'GET', url, headers, body: NO_BODY });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { request: open } = url.protocol === 'http:' ? http : https;
  const options = {
    ...socketOptions(endpoint),
    host: hostOf(url),
    port: url.port,
    path: added?.path ?? url.pathname + url.search,
    headers: { ...headers, ...added?.headers },
    agent: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  };
  open(options, resolve).on('error', reject).end();
  return promise;
}

async function replyOf(response: IncomingMessage): Promise<TableReply> {
  const { statusCode, headers } = response;
  if (statusCode !== 200) {
    response.destroy();
    if (statusCode === 304) return { kind: 'unchanged' };
    return statusCode === 404 || statusCode === 405
      ? { kind: 'absent' }
      : { kind: 'failed', message: `HTTP status ${statusCode}` };
  }
  const body = await bodyOf(response);
  const isZipped = headers['content-encoding'] === 'gzip';
  const plain = isZipped ? await unzip(body, { maxOutputLength: MAX_TABLE_OCTETS }) : body;
  return { kind: 'table', json: plain.toString(), etag: headers.etag };
}

async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    octets += chunk.length;
    if (octets > MAX_TABLE_OCTETS) throw new Error(`a table over ${MAX_TABLE_OCTETS} octets`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
