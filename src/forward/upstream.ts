import { isIP, type LookupFunction } from 'node:net';
import { isLoopback } from '../dns/loopback.ts';

/** A DoH server as settings name it. */
export interface Upstream {
  /** `https:`, or `http:` where host and bootstrap addresses are loopback. */
  readonly url: string;
  /** Addresses to connect to, in order; without them the system's resolver is asked for the URL's host. */
  readonly bootstrap?: readonly string[];
  /** Certificates to trust instead of the system's, as PEM. */
  readonly ca?: string;
  /** Finds the addresses of the URL's host, where `bootstrap` has none. */
  readonly lookup?: LookupFunction;
  /** Asked for every message: what a credential adds to its request. */
  readonly authorize?: Authorize;
}

/**
 * What a request carries besides the message, made anew for each: credentials change while connections last, and a
 * signature covers the body. One that throws fails the exchange.
 */
export type Authorize = (request: OutgoingRequest) => RequestParts;

export interface OutgoingRequest {
  readonly method: 'GET' | 'POST';
  /** With host and path as in the settings. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface RequestParts {
  /** Instead of the URL's, with its query. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A checked upstream. */
export interface Endpoint extends Pick<Upstream, 'ca' | 'lookup' | 'authorize'> {
  readonly url: URL;
  /** Of the URL, with its query: taking a URL apart anew for each request costs. */
  readonly path: string;
  readonly bootstrap: readonly string[];
}

export class InvalidUpstreamError extends Error {
  override readonly name = 'InvalidUpstreamError';
  readonly url: string;
  readonly reason: string;

  constructor(url: string, reason: string) {
    super(`upstream ${url}: ${reason}`);
    this.url = url;
    this.reason = reason;
  }
}

/** Throws an InvalidUpstreamError that says what is wrong with it. */
export function parseUpstream({ url: text, bootstrap = [], ...rest }: Upstream): Endpoint {
  const url = URL.parse(text);
  if (url === null) throw new InvalidUpstreamError(text, 'not a URL');
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new InvalidUpstreamError(text, 'not an https:// URL');
  if (url.username !== '' || url.password !== '') {
    throw new InvalidUpstreamError(url.origin, 'a user name or password in a URL is not sent');
  }
  const notAddress = bootstrap.find((address) => isIP(address) === 0);
  if (notAddress !== undefined) throw new InvalidUpstreamError(text, `bootstrap ${notAddress} is not an IP address`);
  if (url.protocol === 'http:' && ![hostOf(url), ...bootstrap].every(isLoopback)) {
    throw new InvalidUpstreamError(text, 'http:// is allowed on loopback only');
  }
  return { ...rest, url, path: url.pathname + url.search, bootstrap };
}

/** The host to connect to: an IPv6 address without its brackets. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1');
