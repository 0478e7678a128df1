import type { IncomingHttpHeaders } from 'node:http';
import type { Attempt, Carrier } from './attempt.ts';
import type { UpstreamFailure } from './forwarder.ts';
import type { Endpoint, RequestParts } from './upstream.ts';

export const MEDIA_TYPE = 'application/dns-message';
const MAX_MESSAGE_OCTETS = 65_535;

export type HttpReply =
  | {
      readonly ok: true;
      readonly body: Buffer;
      /** Seconds in HTTP caches. */
      readonly age: number;
    }
  | HttpFailure;

export interface HttpFailure {
  readonly ok: false;
  readonly kind: Exclude<UpstreamFailure['kind'], 'rcode'>;
  readonly message: string;
  /** With kind `status`. */
  readonly status?: number;
  /** The upstream did not look at the query: the stream was refused, or the connection was at its end. */
  readonly retry?: boolean;
}

/** A session or a pool: what carries exchanges to one upstream until it ends or is not trusted any more. */
export interface Connection {
  /** False once it takes no more exchanges. */
  readonly isOpen: boolean;
  /** Wall clock, in milliseconds, of the last sign of life. */
  readonly heardAt: number;
  /** Counts signs of life. */
  readonly heard: number;
  /** Posts a message. Giving the attempt up cancels this exchange only. Never rejects. */
  exchange(body: Buffer, attempt: Attempt): Promise<HttpReply>;
  /** Takes no more exchanges, finishes those it has, and goes. */
  retire(): void;
}

/** Path and headers of a POST, with what a credential adds. Throws what `authorize` throws. */
export function requestParts({ url, path, authorize }: Endpoint, body: Buffer): Required<RequestParts> {
  const headers = { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE, 'content-length': String(body.length) };
  if (authorize === undefined) return { path, headers };
  const added = authorize({ method: 'POST', url, headers, body });
  return { path: added.path ?? path, headers: { ...headers, ...added.headers } };
}

export const transportFailure = (message: string, retry = false): HttpFailure => ({
  ok: false,
  kind: 'transport',
  message,
  retry,
});

/** Of an exchange that was given up: its time was over, or its result is no longer wanted. */
export const givenUp = ({ reason: message }: Attempt): HttpFailure => ({ ok: false, kind: 'timeout', message });

/**
 * One exchange under way: is told what comes, and says once what it came to. Any end but a whole response cancels what
 * is still under way. One object for each exchange and no closure for each event of it: those were a tenth of what a
 * forwarded query cost.
 */
export abstract class HttpExchange implements Carrier {
  readonly #attempt: Attempt;
  readonly #resolve: (reply: HttpReply) => void;
  #chunks: Buffer[] = [];
  #octets = 0;
  #age = 0;
  #isAnswered = false;
  #hasEnded = false;

  constructor(attempt: Attempt, resolve: (reply: HttpReply) => void) {
    this.#attempt = attempt;
    this.#resolve = resolve;
    attempt.carrier = this;
  }

  onGivenUp(): void {
    this.end(givenUp(this.#attempt));
  }

  /** Whether the head of the response has come. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** The head of the response has come: whether its body is worth reading. */
  onHead(status: number | undefined, headers: IncomingHttpHeaders): boolean {
    this.#isAnswered = true;
    this.#age = ageOf(headers);
    const failure = headFailure(status, headers);
    if (failure !== undefined) this.end(failure);
    return failure === undefined;
  }

  onData(chunk: Buffer): void {
    if (this.#hasEnded) return;
    this.#octets += chunk.length;
    if (this.#octets > MAX_MESSAGE_OCTETS) this.end(TOO_LARGE);
    else this.#chunks.push(chunk);
  }

  /** The body is over; `isWhole`: by its own end. */
  onEnd(isWhole: boolean): void {
    // A stream that was reset before its response has an end as well.
    if (!this.#isAnswered) return;
    const [only] = this.#chunks;
    const body = only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks);
    this.end(isWhole ? { ok: true, body, age: this.#age } : CUT_SHORT);
  }

  /** The first call counts. */
  end(reply: HttpReply): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#attempt.carrier = undefined;
    if (!reply.ok) this.cancel();
    this.#resolve(reply);
  }

  protected abstract cancel(): void;
}

/** What the head of a response rules out (RFC 8484 section 4.2), before any of the body is read. */
function headFailure(status: number | undefined, headers: IncomingHttpHeaders): HttpFailure | undefined {
  if (status !== 200) {
    return { ok: false, kind: 'status', message: `HTTP status ${status}`, ...(status !== undefined && { status }) };
  }
  const type = headers['content-type'] ?? 'none';
  if (type !== MEDIA_TYPE && type.split(';', 1)[0]?.trim().toLowerCase() !== MEDIA_TYPE) {
    return { ok: false, kind: 'media-type', message: `media type ${type}` };
  }
  return Number(headers['content-length']) > MAX_MESSAGE_OCTETS ? TOO_LARGE : undefined;
}

const TOO_LARGE: HttpFailure = { ok: false, kind: 'message', message: `a body over ${MAX_MESSAGE_OCTETS} octets` };
const CUT_SHORT = transportFailure('the response was cut short');

/** RFC 9111 section 5.1; 0 when absent or malformed. */
function ageOf({ age }: IncomingHttpHeaders): number {
  return age !== undefined && /^[0-9]{1,10}$/.test(age) ? Number(age) : 0;
}
