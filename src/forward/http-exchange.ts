import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
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
  /** Posts a message. Aborting cancels this exchange only. Never rejects. */
  exchange(body: Buffer, signal: AbortSignal): Promise<HttpReply>;
  /** Takes no more exchanges, finishes those it has, and goes. */
  retire(): void;
}

/** Path and headers of a POST, with what a credential adds. Throws what `authorize` throws. */
export function requestParts({ url, authorize }: Endpoint, body: Buffer): Required<RequestParts> {
  const headers = { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE, 'content-length': String(body.length) };
  const added = authorize?.({ method: 'POST', url, headers, body });
  return { path: added?.path ?? url.pathname + url.search, headers: { ...headers, ...added?.headers } };
}

export const transportFailure = (message: string, retry = false): HttpFailure => ({
  ok: false,
  kind: 'transport',
  message,
  retry,
});

/** Of an exchange that was given up: its time was over, or its result is no longer wanted. */
export const abortFailure = (signal: AbortSignal): HttpFailure => ({
  ok: false,
  kind: 'timeout',
  message: signal.reason instanceof Error ? signal.reason.message : 'given up',
});

/**
 * What ends an exchange: the first call counts, an abort of the signal is one, and any but a whole response cancels
 * what is still under way.
 */
export function endOfExchange(
  signal: AbortSignal,
  cancel: () => void,
  resolve: (reply: HttpReply) => void,
): (reply: HttpReply) => void {
  let ended = false;
  const end = (reply: HttpReply) => {
    if (ended) return;
    ended = true;
    signal.removeEventListener('abort', onAbort);
    if (!reply.ok) cancel();
    resolve(reply);
  };
  const onAbort = () => end(abortFailure(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  return end;
}

/** What the head of a response rules out (RFC 8484 section 4.2), before any of the body is read. */
function headFailure(status: number | undefined, headers: IncomingHttpHeaders): HttpFailure | undefined {
  if (status !== 200) {
    return { ok: false, kind: 'status', message: `HTTP status ${status}`, ...(status !== undefined && { status }) };
  }
  const type = headers['content-type'] ?? 'none';
  if (type.split(';', 1)[0]?.trim().toLowerCase() !== MEDIA_TYPE) {
    return { ok: false, kind: 'media-type', message: `media type ${type}` };
  }
  return Number(headers['content-length']) > MAX_MESSAGE_OCTETS ? TOO_LARGE : undefined;
}

const TOO_LARGE: HttpFailure = { ok: false, kind: 'message', message: `a body over ${MAX_MESSAGE_OCTETS} octets` };
const CUT_SHORT = transportFailure('the response was cut short');

/** Reads a response once its head is there. `isWhole` is asked at the end of the body. */
export function readReply(
  response: { readonly stream: Readable; readonly status: number | undefined; readonly headers: IncomingHttpHeaders },
  isWhole: () => boolean,
  end: (reply: HttpReply) => void,
): void {
  const { stream, status, headers } = response;
  const failure = headFailure(status, headers);
  if (failure) {
    end(failure);
    return;
  }
  const chunks: Buffer[] = [];
  let octets = 0;
  stream.on('data', (chunk: Buffer) => {
    octets += chunk.length;
    if (octets > MAX_MESSAGE_OCTETS) end(TOO_LARGE);
    else chunks.push(chunk);
  });
  stream.on('end', () => {
    end(isWhole() ? { ok: true, body: Buffer.concat(chunks), age: ageOf(headers) } : CUT_SHORT);
  });
}

/** RFC 9111 section 5.1; 0 when absent or malformed. */
function ageOf({ age }: IncomingHttpHeaders): number {
  return age !== undefined && /^[0-9]{1,10}$/.test(age) ? Number(age) : 0;
}
