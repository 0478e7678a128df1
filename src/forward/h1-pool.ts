import http, { type ClientRequest, type RequestOptions } from 'node:http';
import {
  type Connection,
  endOfExchange,
  type HttpReply,
  MEDIA_TYPE,
  readReply,
  transportFailure,
} from './http-exchange.ts';
import { hostOf } from './upstream.ts';

/** Keep-alive HTTP/1.1 connections to one upstream; one exchange at a time on each. */
export class H1Pool implements Connection {
  readonly #agent: http.Agent;
  readonly #closing: AbortSignal;
  readonly #target: RequestOptions;
  readonly #now: () => number;
  #heardAt: number;
  #heard = 0;
  #exchanges = 0;
  #isOpen = true;

  /** The agent opens the connections. Aborting `closing` cuts them. */
  constructor(agent: http.Agent, url: URL, now: () => number, closing: AbortSignal) {
    this.#agent = agent;
    this.#closing = closing;
    closing.addEventListener('abort', this.#cut, { once: true });
    this.#target = {
      agent,
      protocol: url.protocol,
      host: hostOf(url),
      port: url.port,
      path: url.pathname + url.search,
      method: 'POST',
    };
    this.#now = now;
    this.#heardAt = now();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  get heard(): number {
    return this.#heard;
  }

  async exchange(body: Buffer, signal: AbortSignal): Promise<HttpReply> {
    this.#exchanges++;
    const headers = { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE, 'content-length': body.length };
    const reply = await this.#run(http.request({ ...this.#target, headers }), body, signal);
    this.#exchanges--;
    // A connection that was closed while idle: the others have idled as long.
    if (!reply.ok && reply.retry) this.#isOpen = false;
    this.#goWhenDone();
    return reply;
  }

  retire(): void {
    this.#isOpen = false;
    this.#goWhenDone();
  }

  #run(request: ClientRequest, body: Buffer, signal: AbortSignal): Promise<HttpReply> {
    return new Promise((resolve) => {
      let answered = false;
      const end = endOfExchange(signal, () => request.destroy(), resolve);
      const fail = (message: string) => end(transportFailure(message, !answered && request.reusedSocket));
      request.on('response', (response) => {
        answered = true;
        this.#heardAt = this.#now();
        this.#heard++;
        const { statusCode: status, headers } = response;
        response.on('error', (error) => fail(error.message));
        readReply({ stream: response, status, headers }, () => response.complete, end);
      });
      request.on('error', (error) => fail(error.message));
      request.on('close', () => fail('the connection was closed'));
      request.end(body);
    });
  }

  #goWhenDone(): void {
    if (!this.#isOpen && this.#exchanges === 0) this.#cut();
  }

  readonly #cut = (): void => {
    this.#isOpen = false;
    this.#closing.removeEventListener('abort', this.#cut);
    this.#agent.destroy();
  };
}
