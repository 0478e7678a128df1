import type { Socket } from 'node:net';
import { type Answer, answerTo, type Exchange, isQuery } from './listener.ts';
import { FrameReader, framed } from './tcp-frames.ts';

export interface TcpConnectionOptions {
  readonly exchange: Exchange;
  readonly idleTimeoutMs: number;
  readonly maxInFlight: number;
  readonly maxQueryOctets: number;
  /** Told of every whole query. */
  readonly onQuery: (connection: TcpConnection) => void;
  /** Whether all connections together hold as many octets as they may that their clients have not taken. */
  readonly isFull: () => boolean;
}

/** A client that leaves more than this untaken, as much as the largest answer, is not asked for its next query. */
const MAX_UNTAKEN_OCTETS = 65_537;

/**
 * One client's connection (RFC 7766): answers leave as they come, in any order. A query is in flight until the
 * kernel has taken its answer, so a client that asks without reading is stopped, too.
 */
export class TcpConnection {
  readonly #socket: Socket;
  readonly #options: TcpConnectionOptions;
  readonly #frames: FrameReader;
  readonly #idle: NodeJS.Timeout;
  /** Of those in flight, how many have no answer yet. */
  #unanswered = 0;
  #inFlight = 0;
  /** As many as may be are in flight: the client is not read. */
  #isHeld = false;
  /** The client sends nothing more, or we take nothing more. */
  #ended = false;

  constructor(socket: Socket, options: TcpConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#frames = new FrameReader(options.maxQueryOctets);
    this.#idle = setTimeout(() => this.#onIdle(), options.idleTimeoutMs);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => clearTimeout(this.#idle));
    // The client is gone; 'close' follows.
    socket.on('error', () => undefined);
  }

  /** Nothing of it is being answered: closing it loses nothing (RFC 7766 section 6.2.3). */
  get isIdle(): boolean {
    return this.#inFlight === 0;
  }

  /** Takes no more queries; closes when those in flight are answered. */
  finish(): void {
    this.#ended = true;
    // Read on, to nowhere: closing over unread octets would reset the connection and lose the last answers.
    this.#socket.resume();
    this.#endWhenAnswered();
  }

  /** Octets of answers that are waiting for the client. */
  get untaken(): number {
    return this.#socket.writableLength;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#ended) return;
    this.#frames.push(chunk);
    this.#takeQueries();
  }

  #onEnd(): void {
    this.#ended = true;
    this.#endWhenAnswered();
  }

  #endWhenAnswered(): void {
    if (this.#ended && this.#inFlight === 0) this.#socket.end();
  }

  /** As many as may be in flight; the rest waits here, and behind it the client. */
  #takeQueries(): void {
    // What is known at once leaves in as few segments as it fits.
    this.#socket.cork();
    this.#isHeld = !this.#takeWhileAllowed();
    this.#socket.uncork();
    if (this.#isHeld) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Whether that was all. */
  #takeWhileAllowed(): boolean {
    while (this.#inFlight < this.#options.maxInFlight && this.untaken <= MAX_UNTAKEN_OCTETS) {
      const frame = this.#frames.next();
      if (frame.kind !== 'message') {
        if (frame.kind === 'malformed') this.destroy();
        return true;
      }
      this.#idle.refresh();
      this.#options.onQuery(this);
      if (isQuery(frame.wire)) this.#answer(frame.wire);
    }
    return false;
  }

  #answer(query: Buffer): void {
    this.#inFlight++;
    const answer = answerTo(query, 'tcp', this.#options.exchange);
    if (!(answer instanceof Promise)) {
      this.#send(answer);
      return;
    }
    this.#unanswered++;
    void answer.then((late) => {
      this.#unanswered--;
      this.#send(late);
    });
  }

  #send(answer: Answer): void {
    // Its queries were taken while there was room, and their answers come when there is none.
    if (this.untaken > MAX_UNTAKEN_OCTETS && this.#options.isFull()) this.destroy();
    if (answer !== undefined && this.#socket.writable) this.#socket.write(framed(answer), this.#onTaken);
    else process.nextTick(this.#onTaken);
  }

  /** The kernel has an answer, or there was none. */
  readonly #onTaken = (): void => {
    this.#inFlight--;
    this.#idle.refresh();
    if (this.#isHeld && !this.#ended) this.#takeQueries();
    this.#endWhenAnswered();
  };

  /** Neither a whole query nor a taken answer for long. While an answer is being found, that is not the client's doing. */
  #onIdle(): void {
    if (this.#unanswered > 0) this.#idle.refresh();
    else this.destroy();
  }
}
