import { isLoopback } from '../dns/loopback.ts';

/** RFC 9110 section 7.2: an address, in brackets if it has colons, or a name, and perhaps a port. */
const HOST = /^(?:\[(?<bracketed>[^\]]+)\]|(?<bare>[^:[\]]+))(?::\d+)?$/;

/**
 * Whether a request to a listener on loopback names loopback. A page whose own name was re-pointed at 127.0.0.1
 * (DNS rebinding) sends its own name, and would otherwise read and write the registry as this user.
 */
export function namesLoopback(host: string | undefined): boolean {
  const { bracketed, bare } = HOST.exec(host ?? '')?.groups ?? {};
  const named = bracketed ?? bare;
  return named !== undefined && isLoopback(named);
}

/**
 * Whether a browser sends the request for a web page, as Fetch Metadata or `Origin` tell (no page is served here, so any
 * page is somebody else's). It cannot read the answer, but what it asks for would be done. `none`: typed by the reader.
 */
export function isForPage(header: (name: string) => string | undefined): boolean {
  return header('origin') !== undefined || (header('sec-fetch-site') ?? 'none') !== 'none';
}
