/** A request as every adapter can give it: node:http, node:http2, hono, or a function's event. */
export interface HttpRequest {
  /** Upper case. */
  readonly method: string;
  /** Origin form: path and query, as received. */
  readonly target: string;
  /** The value of a header field, several joined by `, `; the name is lower case. */
  readonly header: (name: string) => string | undefined;
  /** At most one octet more than the endpoint's limit need be read. */
  readonly body: Uint8Array;
  /** ARN of whoever has signed it, where a gateway has verified that. */
  readonly principal?: string;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const encoder = new TextEncoder();

/** A refusal that a person can read: one line, never a stack. */
export function textResponse(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  const body = encoder.encode(`${text}\n`);
  return {
    status,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      ...headers,
    },
    body,
  };
}

/** An unknown path and a path with an unknown token are the same to whoever asks. */
export const notFound = (): HttpResponse => textResponse(404, 'not found');

/** The store cannot be read: not even whether whoever asks may ask. */
export const unavailable = (): HttpResponse =>
  textResponse(503, 'the registry cannot be read; try again', { 'retry-after': '1' });

/** The media type of a Content-Type or one element of Accept, without parameters, lower case. */
export const mediaTypeOf = (value: string): string => (value.split(';', 1)[0] ?? '').trim().toLowerCase();

/** What comes after `value`, without a turn of the event loop where it is known already. */
export const whenKnown = <T, U>(value: T | Promise<T>, next: (value: T) => U | Promise<U>): U | Promise<U> =>
  value instanceof Promise ? value.then(next) : next(value);
