import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A DoH server as settings name it. */
export interface Upstream {
  /** `https:`, or `http:` where host and bootstrap addresses are loopback. */
  readonly url: string;
  /** Addresses to connect to, in order; without them the system's resolver is asked for the URL's host. */
  readonly bootstrap?: readonly string[];
  /** Certificates to trust instead of the system's, as PEM. */
  readonly ca?: string;
}

/** A checked upstream. */
export interface Endpoint {
  readonly url: URL;
  readonly bootstrap: readonly string[];
  readonly ca?: string;
}

export class InvalidUpstreamError extends Error {
  override readonly name = 'InvalidUpstreamError';
  readonly url: string;

  constructor(url: string, reason: string) {
    super(`upstream ${url}: ${reason}`);
    this.url = url;
  }
}

/** Throws an InvalidUpstreamError that says what is wrong with it. */
export function parseUpstream({ url: text, bootstrap = [], ca }: Upstream): Endpoint {
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
  return { url, bootstrap, ...(ca !== undefined && { ca }) };
}

/** The host to connect to: an IPv6 address without its brackets. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1');

const isLoopback = (host: string): boolean =>
  host === 'localhost' || (isIP(host) !== 0 && ipaddr.process(host).range() === 'loopback');
