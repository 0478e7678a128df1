import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Upstream } from '../forward/upstream.ts';
import { MAX_TABLE_OCTETS } from '../table/parse-table.ts';
import { getFrom } from './http-request.ts';
import { messageOf } from './message-of.ts';

export type TableReply =
  | { readonly kind: 'table'; readonly json: string; readonly etag: string | undefined }
  | { readonly kind: 'unchanged' }
  /** 404: a plain DoH server, or a token that is not known any more. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly message: string };

/** For the largest table over a slow line. */
const TIMEOUT_MS = 20_000;

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
    const headers = {
      accept: 'application/json',
      'accept-encoding': 'gzip',
      ...(etag !== undefined && { 'if-none-match': etag }),
    };
    return await replyOf(await getFrom(upstream, headers, TIMEOUT_MS));
  } catch (error) {
    return { kind: 'failed', message: messageOf(error) };
  }
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
