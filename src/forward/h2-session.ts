import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import {
  type Connection,
  endOfExchange,
  type HttpReply,
  readReply,
  requestParts,
  transportFailure,
} from './http-exchange.ts';
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

  exchange(body: Buffer, signal: AbortSignal): Promise<HttpReply> {
    return new Promise((resolve) => {
      try {
        this.#pingIfQuiet();
        this.#run(this.#session.request(this.#headers(body)), body, signal, resolve);
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
    const { url } = this.#endpoint;
    const { path, headers } = requestParts(this.#endpoint, body);
    const parts = [':method', 'POST', ':authority', url.host, ':scheme', 'https', ':path', path];
    for (const name in headers) {
      const value = headers[name];
      if (value !== undefined) parts.push(name, value);
    }
    return parts;
  }

  #run(stream: ClientHttp2Stream, body: Buffer, signal: AbortSignal, resolve: (reply: HttpReply) => void): void {
    let answered = false;
    this.#exchanges++;
    this.#doubtTimer ??= setTimeout(() => this.#onDoubt(), DOUBT_MS);
    const end = endOfExchange(signal, () => stream.close(NGHTTP2_CANCEL), resolve);
    const fail = (message: string) => end(transportFailure(message, !answered && this.#isRefused(stream)));
    stream.on('response', (headers) => {
      answered = true;
      this.#hear();
      readReply({ stream, status: headers[':status'], headers }, () => isWhole(stream), end);
    });
    stream.on('error', (error) => fail(error.message));
    stream.on('close', () => {
      this.#exchanges--;
      fail(`the stream ended with code ${stream.rstCode}`);
      // The session's list of streams is a Map, whose outgrown tables keep streams, and what these hold, for long.
      stream.removeAllListeners();
    });
    stream.end(body);
  }

  /** Whether the query was not looked at: this stream refused, or the whole session gone (RFC 9113 section 8.7). */
  #isRefused(stream: ClientHttp2Stream): boolean {
    return !this.isOpen || stream.rstCode === NGHTTP2_REFUSED_STREAM;
  }

  #hear(): void {
    this.#heardAt = this.#now();
    this.#heard++;
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
      if (!error) this.#hear();
    });
  }
}

/** Node also reports the end of the body when a stream is reset in the midst of it. */
const isWhole = (stream: ClientHttp2Stream): boolean => !stream.aborted && (stream.rstCode ?? 0) === NGHTTP2_NO_ERROR;
