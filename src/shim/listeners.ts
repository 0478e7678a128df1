import type { Exchange, Listener } from './listener.ts';
import type { Log } from './log.ts';
import { messageOf } from './message-of.ts';
import { type SocketAddress, socketText } from './socket-address.ts';
import { listenTcp } from './tcp-listener.ts';
import { listenUdp, type UdpListener } from './udp-listener.ts';

/** UDP and TCP at one address. */
interface Pair {
  readonly at: SocketAddress;
  readonly udp: UdpListener;
  readonly tcp: Listener;
}

/** An address that DNS cannot be answered at. */
export class ShimListenError extends Error {
  override readonly name = 'ShimListenError';
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else listens there',
  EADDRNOTAVAIL: 'this host has no such address',
  EACCES: 'this user may not listen on that port',
  EAFNOSUPPORT: 'this host has no such family of addresses',
};

/** A host without IPv6 has no `::1`. */
const NO_IPV6: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT']);

/** Everything that the shim listens at. */
export class Listeners {
  readonly #exchange: Exchange;
  readonly #log: Log;
  readonly #pairs = new Map<string, Pair>();
  #dropped = 0;

  constructor(exchange: Exchange, log: Log) {
    this.#exchange = exchange;
    this.#log = log;
  }

  /** Those of the settings as they got them. */
  get addresses(): readonly SocketAddress[] {
    return [...this.#pairs.values()].map(({ udp: { address, port } }) => ({ address, port }));
  }

  /** Datagrams that were dropped because too many queries were under way. */
  get dropped(): number {
    return [...this.#pairs.values()].reduce((sum, { udp }) => sum + udp.dropped, this.#dropped);
  }

  /**
   * Listens at exactly these: sockets that are there already stay open.
   *
   * @throws ShimListenError when one cannot be opened; what was opened before it stays.
   */
  async listenAt(addresses: readonly SocketAddress[]): Promise<void> {
    const wanted = new Map(addresses.map((at) => [socketText(at), at]));
    for (const [text, at] of wanted) if (!this.#pairs.has(text)) await this.#open(text, at);
    const surplus = [...this.#pairs.keys()].filter((text) => !wanted.has(text));
    await Promise.all(surplus.map((text) => this.#close(text)));
    if (this.#pairs.size === 0) throw new ShimListenError('there is no address to listen at');
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pairs.keys()].map((text) => this.#close(text)));
  }

  async #open(text: string, at: SocketAddress): Promise<void> {
    try {
      this.#pairs.set(text, await openPair(at, this.#exchange));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (at.address === '::1' && NO_IPV6.has(code))
        return this.#log.info(`not listening at ${text}: ${REASONS[code]}`);
      const reason = REASONS[code] ?? messageOf(error);
      throw new ShimListenError(`cannot listen at ${text}: ${reason}`, { cause: error });
    }
  }

  async #close(text: string): Promise<void> {
    const pair = this.#pairs.get(text);
    this.#pairs.delete(text);
    if (pair === undefined) return;
    await Promise.all([pair.udp.close(), pair.tcp.close()]);
    this.#dropped += pair.udp.dropped;
  }
}

/** TCP first: where any port will do, one that is free for TCP is free for UDP as well. */
export async function openPair(at: SocketAddress, exchange: Exchange): Promise<Pair> {
  const tcp = await listenTcp({ ...at, exchange });
  try {
    return { at, tcp, udp: await listenUdp({ ...at, port: tcp.port, exchange }) };
  } catch (error) {
    await tcp.close();
    throw error;
  }
}
