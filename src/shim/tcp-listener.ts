import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { CLOSE_TIMEOUT_MS, type Exchange, type Listener } from './listener.ts';
import { TcpConnection } from './tcp-connection.ts';
import { settlesWithin } from './within.ts';

export type { Exchange, Listener, Transport } from './listener.ts';

export interface TcpListenerOptions {
  readonly address: string;
  readonly port: number;
  readonly exchange: Exchange;
  /** How long a connection may go without a whole query (RFC 7766 section 6.2.3). */
  readonly idleTimeoutMs?: number;
  /** For one more, the one that has been idle for longest goes; if none is idle, the new one. */
  readonly maxConnections?: number;
  /** Queries of one connection answered at the same time; beyond, the client is not read. */
  readonly maxInFlight?: number;
  /** A longer query closes its connection. */
  readonly maxQueryOctets?: number;
  readonly closeTimeoutMs?: number;
}

const IDLE_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 1000;
const MAX_IN_FLIGHT = 100;
/** Of answers that wait for clients of all connections. */
const MAX_UNTAKEN_OCTETS = 16 * 1024 * 1024;
/** What a DoH endpoint takes by default. */
const MAX_QUERY_OCTETS = 4096;

/** Answers DNS over TCP (RFC 7766). Rejects with the socket's own error when it cannot bind. */
export async function listenTcp(options: TcpListenerOptions): Promise<Listener> {
  const { address, port } = options;
  // A client that has sent its queries and closed its side still gets the answers.
  const server = createServer({ allowHalfOpen: true });
  server.listen({ host: address, port, ipv6Only: true });
  await once(server, 'listening');
  return new StreamListener(server, options);
}

class StreamListener implements Listener {
  readonly address: string;
  readonly port: number;
  readonly #server: Server;
  readonly #closeTimeoutMs: number;
  readonly #maxConnections: number;
  /** Those that have asked least recently first. */
  readonly #connections = new Set<TcpConnection>();
  #closed: Promise<void> | undefined;

  constructor(server: Server, options: TcpListenerOptions) {
    const { address, port } = server.address() as AddressInfo;
    const { exchange, idleTimeoutMs = IDLE_TIMEOUT_MS, maxInFlight = MAX_IN_FLIGHT } = options;
    const { maxQueryOctets = MAX_QUERY_OCTETS, closeTimeoutMs = CLOSE_TIMEOUT_MS } = options;
    const onQuery = (connection: TcpConnection) => this.#moveToEnd(connection);
    const isFull = () => this.#untaken() > MAX_UNTAKEN_OCTETS;
    const shared = { exchange, idleTimeoutMs, maxInFlight, maxQueryOctets, onQuery, isFull };
    this.address = address;
    this.port = port;
    this.#server = server;
    this.#closeTimeoutMs = closeTimeoutMs;
    this.#maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
    server.on('connection', (socket) => {
      if (!this.#makeRoom()) {
        socket.on('error', () => undefined).destroy();
        return;
      }
      const connection = new TcpConnection(socket, shared);
      this.#connections.add(connection);
      socket.once('close', () => this.#connections.delete(connection));
    });
    // A connection that could not be accepted (no file descriptors left) is its client's loss; the others go on.
    server.on('error', () => undefined);
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  /** Idle connections must not keep others out (RFC 7766 section 6.2.3). */
  #makeRoom(): boolean {
    if (this.#connections.size < this.#maxConnections) return true;
    const idle = this.#connections.values().find(({ isIdle }) => isIdle);
    if (idle === undefined) return false;
    this.#connections.delete(idle);
    idle.destroy();
    return true;
  }

  #untaken(): number {
    let octets = 0;
    for (const { untaken } of this.#connections) octets += untaken;
    return octets;
  }

  #moveToEnd(connection: TcpConnection): void {
    if (this.#connections.delete(connection)) this.#connections.add(connection);
  }

  async #drain(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const connection of this.#connections) connection.finish();
    if (await settlesWithin(closed, this.#closeTimeoutMs)) return;
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }
}
