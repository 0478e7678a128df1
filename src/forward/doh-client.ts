import type { Question } from '../dns/query.ts';
import { type Attempt, untilGivenUp } from './attempt.ts';
import { dial } from './dial.ts';
import { type Connection, givenUp, type HttpFailure, type HttpReply, transportFailure } from './http-exchange.ts';
import { judgeResponse } from './incoming.ts';
import { untilAborted } from './until-aborted.ts';
import { type Endpoint, parseUpstream, type Upstream } from './upstream.ts';
import type { Exchanged, UpstreamClient } from './upstream-client.ts';

export type { Exchanged } from './upstream-client.ts';

/**
 * A connection idle for longer than this, by the wall clock, is not used again: the process may have been frozen, or
 * the path may have forgotten it, and finding out costs more than connecting.
 */
const MAX_IDLE_MS = 10_000;

/** One DoH server (RFC 8484), over one connection that is replaced when it is not trusted any more. */
export class DohClient implements UpstreamClient {
  /** Scheme, host and port. The path is left out because it may hold a credential. */
  readonly origin: string;
  readonly #endpoint: Endpoint;
  readonly #now: () => number;
  readonly #closing = new AbortController();
  #connection: Connection | undefined;
  #dialling: Promise<Connection | HttpFailure> | undefined;
  /** The last connection went because of a slow answer alone; the next will tell. */
  #isDoubtful = false;

  /** Throws an InvalidUpstreamError. `now` is the wall clock in milliseconds. */
  constructor(upstream: Upstream, now: () => number = Date.now) {
    this.#endpoint = parseUpstream(upstream);
    this.#now = now;
    this.origin = this.#endpoint.url.origin;
  }

  /**
   * Posts `wire`, which asks `question`. Giving the attempt up gives up this exchange and no other; that its time is
   * over also casts doubt on the connection. Never rejects.
   */
  exchange(wire: Buffer, question: Question, attempt: Attempt): Promise<Exchanged> {
    return this.#attempt(wire, attempt).then((reply) =>
      !reply.ok && reply.retry && !attempt.isGivenUp
        ? this.#attempt(wire, attempt).then((second) => exchangedFrom(second, question))
        : exchangedFrom(reply, question),
    );
  }

  /** Connects ahead of the first exchange, or gives up. Never rejects. */
  async connect(signal: AbortSignal): Promise<void> {
    if (!this.#openConnection()) await untilAborted(this.#dial(), signal);
  }

  /** Whether there is a connection to carry the next exchange, or it is not known that there can be none. */
  get isConnected(): boolean {
    return this.#isDoubtful || this.#connection?.isOpen === true;
  }

  /** Cuts all connections; exchanges fail from now on. */
  close(): void {
    this.#closing.abort();
  }

  #attempt(wire: Buffer, attempt: Attempt): Promise<HttpReply> {
    const connection = this.#openConnection();
    return connection === undefined
      ? this.#attemptDialled(wire, attempt)
      : this.#attemptOver(connection, wire, attempt);
  }

  async #attemptDialled(wire: Buffer, attempt: Attempt): Promise<HttpReply> {
    const dialled = await untilGivenUp(this.#dial(), attempt);
    if (dialled === undefined) {
      if (attempt.isOverdue) this.#isDoubtful = false;
      return givenUp(attempt);
    }
    return 'kind' in dialled ? dialled : this.#attemptOver(dialled, wire, attempt);
  }

  #attemptOver(connection: Connection, wire: Buffer, attempt: Attempt): Promise<HttpReply> {
    if (attempt.isGivenUp) return Promise.resolve(givenUp(attempt));
    const { heard } = connection;
    return connection.exchange(wire, attempt).then((reply) => {
      if (!reply.ok && connection.heard === heard && attempt.isOverdue) this.#doubt(connection);
      return reply;
    });
  }

  #doubt(connection: Connection): void {
    if (!connection.isOpen) return;
    this.#isDoubtful = true;
    connection.retire();
  }

  #openConnection(): Connection | undefined {
    const connection = this.#connection;
    if (!connection?.isOpen) return undefined;
    if (Math.abs(this.#now() - connection.heardAt) <= MAX_IDLE_MS) return connection;
    connection.retire();
    return undefined;
  }

  /** Shared by all queries that come meanwhile, and not ended by any of them. */
  #dial(): Promise<Connection | HttpFailure> {
    if (this.#closing.signal.aborted) return Promise.resolve(transportFailure('closed'));
    this.#dialling ??= dial(this.#endpoint, this.#now, this.#closing.signal).then((dialled) => {
      this.#dialling = undefined;
      this.#isDoubtful = false;
      if (!('kind' in dialled)) this.#connection = dialled;
      return dialled;
    });
    return this.#dialling;
  }
}

function exchangedFrom(reply: HttpReply, question: Question): Exchanged {
  if (reply.ok) return judgeResponse(reply.body, question, reply.age);
  const { kind, message, status } = reply;
  return { ok: false, kind, message, ...(status !== undefined && { status }) };
}
