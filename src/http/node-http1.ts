import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { asBuffer } from '../dns/octets.ts';
import type { DohTransaction } from './doh-transaction.ts';
import { type HttpRequest, type HttpResponse, textResponse } from './message.ts';
import { type BodyLimits, readBody } from './node-body.ts';

const NO_BODY = new Uint8Array();

class IncomingRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly body: Uint8Array;
  readonly #incoming: IncomingMessage;

  constructor(incoming: IncomingMessage, body: Uint8Array) {
    this.method = incoming.method ?? 'GET';
    this.target = incoming.url ?? '/';
    this.body = body;
    this.#incoming = incoming;
  }

  header(name: string): string | undefined {
    const value = this.#incoming.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }
}

/** A body that nobody reads: the connection cannot carry another request. */
const announcesBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Writes a whole response; `last` also ends the connection. */
export function sendOverHttp1(response: ServerResponse, { status, headers, body }: HttpResponse, last: boolean): void {
  if (response.destroyed || response.headersSent) return;
  // Field values are octets that we have written ourselves, and the fields are not kept.
  response.writeHead(status, (last ? { ...headers, connection: 'close' } : headers) as OutgoingHttpHeaders);
  // As text, in which a character is an octet, the body goes out in one write with the head.
  response.end(asBuffer(body).toString('latin1'), 'latin1');
}

/** Carries DoH over HTTP/1.1, without a Web object in between. */
export function dohOverHttp1(
  transaction: DohTransaction,
  limits: BodyLimits,
  report: (error: unknown) => void,
): (request: IncomingMessage, response: ServerResponse) => void {
  function fail(response: ServerResponse, error: unknown): void {
    report(error);
    sendOverHttp1(response, textResponse(500, 'internal error'), true);
  }

  function answer(request: HttpRequest, response: ServerResponse, last: boolean): void {
    try {
      const answered = transaction(request);
      if (answered instanceof Promise) {
        answered.then((later) => sendOverHttp1(response, later, last)).catch((error) => fail(response, error));
      } else sendOverHttp1(response, answered, last);
    } catch (error) {
      fail(response, error);
    }
  }

  return (request, response) => {
    if (request.method !== 'POST') answer(new IncomingRequest(request, NO_BODY), response, announcesBody(request));
    else {
      readBody(request, limits, (body, whole) => answer(new IncomingRequest(request, body), response, !whole));
    }
  };
}
