import http from 'node:http';
import https from 'node:https';
import { isIP, isIPv6, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { type TLSSocket } from 'node:tls';
import { H1Pool } from './h1-pool.ts';
import { H2Session } from './h2-session.ts';
import { type Connection, type HttpFailure, transportFailure } from './http-exchange.ts';
import { type Endpoint, hostOf } from './upstream.ts';

/** For TCP and TLS together. Longer than an attempt: on a slow path the connection then serves the next query. */
const CONNECT_TIMEOUT_MS = 2_000;
/** Of several addresses, the next one is tried after so long. */
const ADDRESS_TIMEOUT_MS = 250;
const MAX_H1_CONNECTIONS = 64;

/**
 * Connects with the best version of HTTP both sides have. Never rejects. Aborting `closing` cuts the connection, also
 * later on.
 */
export async function dial(
  endpoint: Endpoint,
  now: () => number,
  closing: AbortSignal,
): Promise<Connection | HttpFailure> {
  const { url } = endpoint;
  // Nothing to negotiate, so the first exchange is what connects.
  if (url.protocol === 'http:') return new H1Pool(new http.Agent(agentOptions(endpoint)), endpoint, now, closing);
  try {
    const socket = await connectTls(endpoint, closing);
    if (socket.alpnProtocol === 'h2') return new H2Session(socket, endpoint, now);
    return new H1Pool(new ConnectedAgent(socket, agentOptions(endpoint)), endpoint, now, closing);
  } catch (error) {
    return transportFailure(error instanceof Error ? error.message : String(error));
  }
}

/** What connects to the bootstrap addresses in place of the URL's host, which stays the name in TLS and HTTP. */
export function socketOptions({ bootstrap, ca, lookup }: Endpoint) {
  return {
    noDelay: true,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
    ...(lookup !== undefined && { lookup }),
    ...(bootstrap.length > 0 && { lookup: lookupIn(bootstrap) }),
    ...(ca !== undefined && { ca }),
  };
}

const agentOptions = (endpoint: Endpoint) => ({
  ...socketOptions(endpoint),
  keepAlive: true,
  maxSockets: MAX_H1_CONNECTIONS,
});

function lookupIn(bootstrap: readonly string[]): LookupFunction {
  const addresses = bootstrap.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (_host, { all }, callback) => {
    const [first] = addresses;
    if (all || first === undefined) callback(null, addresses);
    else callback(null, first.address, first.family);
  };
}

function connectTls(endpoint: Endpoint, closing: AbortSignal): Promise<TLSSocket> {
  const host = hostOf(endpoint.url);
  const socket = tls.connect({
    ...socketOptions(endpoint),
    host,
    port: Number(endpoint.url.port || 443),
    ALPNProtocols: ['h2', 'http/1.1'],
    ...(isIP(host) === 0 && { servername: host }),
  });
  const onClosing = () => socket.destroy(new Error('closed'));
  closing.addEventListener('abort', onClosing, { once: true });
  const timer = setTimeout(() => {
    socket.destroy(new Error(`no TLS connection within ${CONNECT_TIMEOUT_MS} ms`));
  }, CONNECT_TIMEOUT_MS);
  return new Promise<TLSSocket>((resolve, reject) => {
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
    // Stays for good: an error after connecting must find a listener, too.
    socket.on('error', reject);
    socket.once('close', () => {
      clearTimeout(timer);
      closing.removeEventListener('abort', onClosing);
      reject(new Error('closed while connecting'));
    });
  });
}

/** Starts with the connection on which HTTP/1.1 was negotiated. */
class ConnectedAgent extends https.Agent {
  #connected: TLSSocket | undefined;

  constructor(connected: TLSSocket, options: https.AgentOptions) {
    super(options);
    this.#connected = connected;
  }

  override createConnection(
    options: https.RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const connected = this.#connected;
    this.#connected = undefined;
    return connected !== undefined && !connected.destroyed ? connected : super.createConnection(options, callback);
  }

  override destroy(): void {
    this.#connected?.destroy();
    super.destroy();
  }
}
