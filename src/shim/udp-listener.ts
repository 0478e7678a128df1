import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { isIpWithin, UNSPECIFIED } from '../dns/ip-address.ts';
import { decodeQuery } from '../dns/query.ts';
import { truncateResponse } from '../dns/walk.ts';
import { type Answer, answerTo, CLOSE_TIMEOUT_MS, type Exchange, isQuery, type Listener } from './listener.ts';
import { settlesWithin } from './within.ts';

export interface UdpListenerOptions {
  /** One IP address of this host, not the wildcard. */
  readonly address: string;
  readonly port: number;
  readonly exchange: Exchange;
  /** Queries answered at the same time; one more is dropped, as by a full socket buffer. */
  readonly maxInFlight?: number;
  readonly closeTimeoutMs?: number;
}

export interface UdpListener extends Listener {
  /** Queries dropped so far because too many were in flight. */
  readonly dropped: number;
}

/** UDP cannot listen there: a reply from a wildcard socket leaves from whatever address the route suggests. */
export class UdpAddressError extends Error {
  override readonly name = 'UdpAddressError';
  readonly address: string;

  constructor(address: string, reason: string) {
    super(`cannot listen on UDP address "${address}": ${reason}`);
    this.address = address;
  }
}

const MAX_IN_FLIGHT = 4096;
/** Without EDNS (RFC 1035 section 4.2.1). */
const PLAIN_OCTETS = 512;
/** The most that reaches everybody without fragments, whatever a client advertises. */
const MOST_OCTETS = 1232;

/**
 * Answers DNS over UDP. Truncates to what the client takes; answers no responses.
 *
 * @throws UdpAddressError for a wildcard or a name; the socket's own error when it cannot bind.
 */
export async function listenUdp(options: UdpListenerOptions): Promise<UdpListener> {
  const { address, port } = options;
  checkAddress(address);
  const socket = createSocket({ type: isIP(address) === 6 ? 'udp6' : 'udp4', ipv6Only: isIP(address) === 6 });
  try {
    socket.bind({ address, port });
    await once(socket, 'listening');
    return new DatagramListener(socket, options);
  } catch (error) {
    socket.close();
    throw error;
  }
}

function checkAddress(address: string): void {
  if (isIP(address) === 0) throw new UdpAddressError(address, 'it is no IP address');
  if (!isIpWithin(address, UNSPECIFIED)) return;
  throw new UdpAddressError(address, 'replies from the wildcard leave from the wrong address; name each address');
}

class DatagramListener implements UdpListener {
  readonly address: string;
  readonly port: number;
  dropped = 0;
  readonly #socket: Socket;
  readonly #exchange: Exchange;
  readonly #maxInFlight: number;
  readonly #closeTimeoutMs: number;
  #closed: Promise<void> | undefined;
  #canSend = true;
  /** Queries that the kernel has not taken the answer to yet. */
  #inFlight = 0;
  #allAnswered: (() => void) | undefined;

  constructor(socket: Socket, options: UdpListenerOptions) {
    const { address, port } = socket.address();
    const { exchange, maxInFlight = MAX_IN_FLIGHT, closeTimeoutMs = CLOSE_TIMEOUT_MS } = options;
    this.address = address;
    this.port = port;
    this.#socket = socket;
    this.#exchange = exchange;
    this.#maxInFlight = maxInFlight;
    this.#closeTimeoutMs = closeTimeoutMs;
    socket.on('message', (query, client) => this.#receive(query, client));
    // A datagram that could not be received or sent is lost, as datagrams are; the socket stays.
    socket.on('error', () => undefined);
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  async #drain(): Promise<void> {
    this.#socket.removeAllListeners('message');
    await settlesWithin(this.#answered(), this.#closeTimeoutMs);
    this.#canSend = false;
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }

  async #answered(): Promise<void> {
    if (this.#inFlight === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#allAnswered = resolve;
    await promise;
  }

  #receive(query: Buffer, client: RemoteInfo): void {
    // Nobody can be answered at port 0: it is forged.
    if (!isQuery(query) || client.port === 0) return;
    if (this.#inFlight >= this.#maxInFlight) {
      this.dropped++;
      return;
    }
    this.#inFlight++;
    const answer = answerTo(query, 'udp', this.#exchange);
    if (!(answer instanceof Promise)) this.#send(answer, query, client);
    else void answer.then((late) => this.#send(late, query, client));
  }

  #send(answer: Answer, query: Buffer, { address, port }: RemoteInfo): void {
    if (answer === undefined || !this.#canSend) this.#onAnswered();
    else this.#socket.send(fitted(answer, query), port, address, this.#onAnswered);
  }

  readonly #onAnswered = (): void => {
    this.#inFlight--;
    if (this.#inFlight === 0) this.#allAnswered?.();
  };
}

function fitted(answer: Buffer, query: Buffer): Buffer {
  return answer.length <= PLAIN_OCTETS ? answer : truncateResponse(answer, octetsTakenBy(query));
}

function octetsTakenBy(query: Buffer): number {
  const decoded = decodeQuery(query);
  const advertised = (decoded.ok && decoded.query.edns?.udpSize) || PLAIN_OCTETS;
  return Math.min(Math.max(PLAIN_OCTETS, advertised), MOST_OCTETS);
}
