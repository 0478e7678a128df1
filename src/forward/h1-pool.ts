import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Attempt } from './attempt.ts';
import { type Connection, HttpExchange, type HttpReply, requestParts, transportFailure } from './http-exchange.ts';
import { type Endpoint, hostOf } from './upstream.ts';

/** Keep-alive HTTP/1.1 connections to one upstream; one exchange at a time on each. */
export class H1Pool implements Connection {
  readonly #agent: http.Agent;
  readonly #closing: AbortSignal;
  readonly #endpoint: Endpoint;
  readonly #target: RequestOptions;
  readonly #now: () => number;
  #heardAt: number;
  #heard = 0;
  #exchanges = 0;
  #isOpen = true;

  /** The agent opens the connections. Aborting `closing` cuts them. */
  constructor(agent: http.Agent, endpoint: Endpoint, now: () => number, closing: AbortSignal) {
    const { url } = endpoint;
    this.#endpoint = endpoint;
    this.#agent = agent;
    this.#closing = closing;
    closing.addEventListener('abort', this.#cut, { once: true });
    this.#target = {
      agent,
      protocol: url.protocol,
      host: hostOf(url),
      port: url.port,
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

  async exchange(body: Buffer, attempt: Attempt): Promise<HttpReply> {
    this.#exchanges++;
    const reply = await this.#request(body, attempt);
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

  async #request(body: Buffer, attempt: Attempt): Promise<HttpReply> {
    try {
      const request = http.request({ ...this.#target, ...requestParts(this.#endpoint, body) });
      return await this.#run(request, body, attempt);
    } catch (error) {
      return transportFailure(error instanceof Error ? error.message : String(error));
    }
  }

  #run(request: ClientRequest, body: Buffer, attempt: Attempt): Promise<HttpReply> {
    return new Promise((resolve) => {
      const exchange = new RequestExchange(request, attempt, resolve);
      request.on('response', (response) => {
        this.#heardAt = this.#now();
        this.#heard++;
        exchange.read(response);
      });
      request.on('error', (error) => exchange.fail(error.message));
      request.on('close', () => exchange.fail('the connection was closed'));
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

class RequestExchange extends HttpExchange {
  readonly #request: ClientRequest;

  constructor(request: ClientRequest, attempt: Attempt, resolve: (reply: HttpReply) => void) {
    super(attempt, resolve);
    this.#request = request;
  }

  read(response: IncomingMessage): void {
    response.on('error', (error) => this.fail(error.message));
    if (!this.onHead(response.statusCode, response.headers)) return;
    response.on('data', (chunk: Buffer) => this.onData(chunk));
    response.on('end', () => this.onEnd(response.complete));
  }

  fail(message: string): void {
    this.end(transportFailure(message, !this.isAnswered && this.#request.reusedSocket));
  }

  protected override cancel(): void {
    this.#request.destroy();
  }
}
