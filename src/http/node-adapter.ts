import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { MAX_QUERY_OCTETS } from './doh-request.ts';
import type { DohTransaction } from './doh-transaction.ts';
import { type HttpResponse, textResponse } from './message.ts';

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** The body, or as much of it as shows that it is over the limit; undefined when the client went away. */
async function readBody(request: NodeRequest, limit: number): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit) break;
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

function headerOf(request: NodeRequest): (name: string) => string | undefined {
  return (name) => {
    const value = request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
}

/** Writes a whole response. The two response classes declare the same methods apart; to a caller they are one. */
export function send(to: NodeResponse, { status, headers, body }: HttpResponse, head: boolean): void {
  const response = to as ServerResponse;
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, { ...headers });
  response.end(head ? undefined : body);
}

/** Carries DoH over node:http and node:http2, without a Web object in between. */
export function dohListener(
  transaction: DohTransaction,
  report: (error: unknown) => void,
): (request: NodeRequest, response: NodeResponse) => Promise<void> {
  return async (request, response) => {
    const body = await readBody(request, MAX_QUERY_OCTETS);
    if (!body) return;
    const method = request.method ?? 'GET';
    try {
      const answer = await transaction({ method, target: request.url ?? '/', header: headerOf(request), body });
      send(response, answer, method === 'HEAD');
    } catch (error) {
      report(error);
      send(response, textResponse(500, 'internal error'), method === 'HEAD');
    }
  };
}
