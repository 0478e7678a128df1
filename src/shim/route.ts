import type { DomainName } from '../dns/name.ts';
import { InvalidUpstreamError, parseUpstream } from '../forward/upstream.ts';
import { domainName, read, refuse, refuseBecause, type TextReader } from '../settings/reading.ts';
import { addressWithPort, type SocketAddress } from './socket-address.ts';

/** Who answers names below a suffix. */
export type RouteTarget =
  /** The endpoints. */
  | { readonly kind: 'doh' }
  /** The resolvers that the host had before the shim. */
  | { readonly kind: 'system' }
  | { readonly kind: 'https'; readonly url: string }
  | { readonly kind: 'udp'; readonly server: SocketAddress };

export interface Route {
  readonly suffix: DomainName;
  readonly target: RouteTarget;
}

/** A token of the mesh in a path; a URL is in files and lists of processes that others may read. */
const WITH_TOKEN = /^\/[\w-]{32,}\/(?:dns-query|v1\/table)$/;

export const endpointUrl: TextReader<string> = (value) => {
  const url = URL.parse(value);
  if (url === null || url.hash !== '' || url.pathname === '/') {
    return refuse(value, 'the https URL of a DoH endpoint with its path, such as "https://dns.example/dns-query"');
  }
  // The value is not repeated: it holds the credential.
  if (WITH_TOKEN.test(url.pathname) || url.username !== '' || url.password !== '') {
    return refuseBecause(
      '(hidden)',
      'a credential in a URL can be read by others: put it in a file, and give "token-file"',
    );
  }
  try {
    parseUpstream({ url: url.href });
    return read(url.href);
  } catch (error) {
    if (error instanceof InvalidUpstreamError) return refuseBecause(value, error.reason);
    throw error;
  }
};

const EXPECTED_TARGET =
  'SUFFIX=TARGET, without "*.", and with the target doh, system, https://…/dns-query or udp://ADDRESS[:PORT]';

/** `corp.example=udp://10.0.0.2`, `.=system` */
export const route: TextReader<Route> = (value) => {
  const [, suffixText, targetText] = /^([^=\s]+)\s*=\s*(\S+)$/.exec(value) ?? [];
  const suffix = domainName(suffixText);
  if (!suffix.ok || targetText === undefined || suffix.value.startsWith('*')) return refuse(value, EXPECTED_TARGET);
  const target = targetOf(targetText);
  return target.ok ? read({ suffix: suffix.value, target: target.value }) : target;
};

const targetOf: TextReader<RouteTarget> = (text) => {
  if (text === 'doh' || text === 'system') return read({ kind: text });
  const [, server] = /^udp:\/\/(\S+)$/.exec(text) ?? [];
  if (server !== undefined) {
    const address = addressWithPort(53)(server);
    return address.ok ? read({ kind: 'udp', server: address.value }) : address;
  }
  if (!/^https?:/.test(text)) return refuse(text, EXPECTED_TARGET);
  const url = endpointUrl(text);
  return url.ok ? read({ kind: 'https', url: url.value }) : url;
};
