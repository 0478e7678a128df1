import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Attempt } from './attempt.ts';
import { type Connection, HttpExchange, type HttpReply, requestParts, transportFailure } from './http-exchange.ts';
import type { Endpoint } from './upstream.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants;

/** A PING unanswered for so long means that the connection is dead. */
const PING_TIMEOUT_MS = 500;
/** After so long without a sign of life, a PING goes ahead of the next query. */
const QUIET_MS = 250;
/** With exchanges under way and no sign of life for `QUIET_MS`, a PING is sent at this interval. */
const DOUBT_MS = 500;
/** What exchanges get to finish in when the session retires: more than any of them may take. */
const RETIREMENT_MS = 5_000;

/**
 * One HTTP/2 session on a connected socket. Open until the peer or the network ends it, a PING stays unanswered, its
 * owner retires it or its socket is destroyed; there is no way back.
 */
export class H2Session implements Connection {
  readonly #session: ClientHttp2Session;
  readonly #socket: TLSSocket;
  readonly #endpoint: Endpoint;
  /** But for the path, which may hold a credential. */
  readonly #pseudoHeaders: readonly string[];
  readonly #now: () => number;
  #heardAt: number;
  #heard = 0;
  #exchanges = 0;
  #pingTimer: NodeJS.Timeout | undefined;
  #doubtTimer: NodeJS.Timeout | undefined;
  #retirementTimer: NodeJS.Timeout | undefined;

  constructor(socket: TLSSocket, endpoint: Endpoint, now: () => number) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#pseudoHeaders = [':method', 'POST', ':authority', endpoint.url.host, ':scheme', 'https'];
    this.#now = now;
    this.#heardAt = now();
    this.#session = http2.connect(endpoint.url.origin, {
      createConnection: () => socket,
      settings: { enablePush: false },
    });
    this.#session.on('error', () => {
      // Its streams fail with the same error, and they say so.
    });
    this.#session.on('close', () => {
      clearTimeout(this.#pingTimer);
      clearTimeout(this.#doubtTimer);
      clearTimeout(this.#retirementTimer);
    });
  }

  get isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  get heard(): number {
    return this.#heard;
  }

  exchange(body: Buffer, attempt: Attempt): Promise<HttpReply> {
    return new Promise((resolve) => {
      try {
        this.#pingIfQuiet();
        this.#run(this.#session.request(this.#headers(body)), body, attempt, resolve);
      } catch (error) {
        // The session ended between the owner's look at it and now, or has used up its stream ids.
        resolve(transportFailure(error instanceof Error ? error.message : String(error), true));
      }
    });
  }

  retire(): void {
    if (!this.isOpen) return;
    this.#session.close();
    // The session itself would wait for a dead peer to close its side.
    this.#retirementTimer = setTimeout(() => this.#socket.destroy(), RETIREMENT_MS);
  }

  /** As names and values in turn, which Node has less work with than with an object. */
  #headers(body: Buffer): string[] {
    const { path, headers } = requestParts(this.#endpoint, body);
    const parts = [...this.#pseudoHeaders, ':path', path];
    for (const name in headers) {
      const value = headers[name];
      if (value !== undefined) parts.push(name, value);
    }
    return parts;
  }

  #run(stream: ClientHttp2Stream, body: Buffer, attempt: Attempt, resolve: (reply: HttpReply) => void): void {
    this.#exchanges++;
    this.#doubtTimer ??= setTimeout(() => this.#onDoubt(), DOUBT_MS);
    const carrying: CarryingStream = stream;
    carrying[EXCHANGE] = new StreamExchange(this, stream, attempt, resolve);
    stream.on('response', onResponse).on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
    stream.end(body);
  }

  /** Of its exchanges. */
  onHeard(): void {
    this.#heardAt = this.#now();
    this.#heard++;
  }

  /** Of its exchanges. */
  onExchanged(): void {
    this.#exchanges--;
  }

  /** A slow answer and a dead connection look the same from here. */
  #onDoubt(): void {
    this.#doubtTimer = undefined;
    if (!this.isOpen || this.#exchanges === 0) return;
    this.#pingIfQuiet();
    this.#doubtTimer = setTimeout(() => this.#onDoubt(), DOUBT_MS);
  }

  #pingIfQuiet(): void {
    if (Math.abs(this.#now() - this.#heardAt) > QUIET_MS) this.#ping();
  }

  #ping(): void {
    if (this.#pingTimer !== undefined) return;
    const dead = new Error(`no answer to a PING within ${PING_TIMEOUT_MS} ms`);
    this.#pingTimer = setTimeout(() => this.#session.destroy(dead), PING_TIMEOUT_MS);
    this.#session.ping((error) => {
      clearTimeout(this.#pingTimer);
      this.#pingTimer = undefined;
      if (!error) this.onHeard();
    });
  }
}

/** What a stream carries. A property, because what listeners close over is made anew for each stream, and costs more. */
const EXCHANGE = Symbol('exchange');

interface CarryingStream extends ClientHttp2Stream {
  [EXCHANGE]?: StreamExchange | undefined;
}

class StreamExchange extends HttpExchange {
  readonly #session: H2Session;
  readonly #stream: ClientHttp2Stream;

  constructor(session: H2Session, stream: ClientHttp2Stream, attempt: Attempt, resolve: (reply: HttpReply) => void) {
    super(attempt, resolve);
    this.#session = session;
    this.#stream = stream;
  }

  onResponse(headers: IncomingHttpHeaders, status: number | undefined): void {
    this.#session.onHeard();
    this.onHead(status, headers);
  }

  fail(message: string): void {
    this.end(transportFailure(message, !this.isAnswered && this.#isRefused()));
  }

  onClose(): void {
    this.#session.onExchanged();
    this.fail(`the stream ended with code ${this.#stream.rstCode}`);
  }

  protected override cancel(): void {
    this.#stream.close(NGHTTP2_CANCEL);
  }

  /** Whether the query was not looked at: this stream refused, or the whole session gone (RFC 9113 section 8.7). */
  #isRefused(): boolean {
    return !this.#session.isOpen || this.#stream.rstCode === NGHTTP2_REFUSED_STREAM;
  }
}

function onResponse(this: CarryingStream, headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader): void {
  this[EXCHANGE]?.onResponse(headers, headers[':status']);
}

function onData(this: CarryingStream, chunk: Buffer): void {
  this[EXCHANGE]?.onData(chunk);
}

/** Node also reports the end of the body when a stream is reset in the midst of it. */
function onEnd(this: CarryingStream): void {
  this[EXCHANGE]?.onEnd(!this.aborted && (this.rstCode ?? 0) === NGHTTP2_NO_ERROR);
}

function onError(this: CarryingStream, error: Error): void {
  this[EXCHANGE]?.fail(error.message);
}

/** The session's list of streams is a Map, whose outgrown tables keep streams, and what these hold, for long. */
function onClose(this: CarryingStream): void {
  this[EXCHANGE]?.onClose();
  this[EXCHANGE] = undefined;
}
