import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { DohTransaction } from './doh-transaction.ts';
import { type HttpRequest, type HttpResponse, textResponse } from './message.ts';
import { type BodyLimits, readBody } from './node-body.ts';

const { NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = constants;

const NO_BODY = new Uint8Array();

class StreamRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly body: Uint8Array;
  readonly #headers: IncomingHttpHeaders;

  constructor(headers: IncomingHttpHeaders, body: Uint8Array) {
    this.method = headers[':method'] ?? 'GET';
    this.target = headers[':path'] ?? '/';
    this.body = body;
    this.#headers = headers;
  }

  header(name: string): string | undefined {
    const value = this.#headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }
}

/** A client that cancels, or breaks off, has nothing to be told. */
const ignore = (): void => undefined;

/** Writes a whole response; `last` tells a client that is still sending to stop (RFC 9113 section 8.1). */
export function sendOverHttp2(stream: ServerHttp2Stream, { status, headers, body }: HttpResponse, last: boolean): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  // 200 is what a stream says by itself.
  const fields = (status === 200 ? headers : { ':status': status, ...headers }) as OutgoingHttpHeaders;
  if (body.length === 0) stream.respond(fields, { endStream: true });
  else {
    stream.respond(fields);
    stream.end(body);
  }
  if (last) stream.close(NGHTTP2_NO_ERROR);
}

/** Refuses a stream before looking at what it asks. */
export function refuseOverHttp2(stream: ServerHttp2Stream, response: HttpResponse): void {
  stream.on('error', ignore);
  sendOverHttp2(stream, response, true);
}

/** Carries DoH over the streams of HTTP/2, without objects that imitate HTTP/1.1 or the Web in between. */
export function dohOverHttp2(
  transaction: DohTransaction,
  limits: BodyLimits,
  report: (error: unknown) => void,
): (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => void {
  function fail(stream: ServerHttp2Stream, error: unknown): void {
    report(error);
    sendOverHttp2(stream, textResponse(500, 'internal error'), true);
  }

  function answer(request: HttpRequest, stream: ServerHttp2Stream, last: boolean): void {
    try {
      const answered = transaction(request);
      if (answered instanceof Promise) {
        answered.then((later) => sendOverHttp2(stream, later, last)).catch((error) => fail(stream, error));
      } else sendOverHttp2(stream, answered, last);
    } catch (error) {
      fail(stream, error);
    }
  }

  return (stream, headers, flags) => {
    stream.on('error', ignore);
    const ended = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    if (ended || headers[':method'] !== 'POST') answer(new StreamRequest(headers, NO_BODY), stream, !ended);
    else {
      readBody(stream, limits, (body, whole) => answer(new StreamRequest(headers, body), stream, !whole));
    }
  };
}
