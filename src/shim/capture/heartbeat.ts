import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** `seen`: the rule took the datagram. `unseen`: it went out, so there is no rule. */
export type Beat = 'seen' | 'unseen';

const PORT = 53;
const DATAGRAM = Buffer.from('beat');

/** Speaks to the ruleset through the path that the queries take: no netlink, no capability, nothing to start. */
export class Heartbeat {
  readonly #socket: Socket = createSocket('udp4');

  async open(): Promise<void> {
    this.#socket.on('error', () => undefined);
    this.#socket.bind({ address: '127.0.0.1', port: 0 });
    await once(this.#socket, 'listening');
    this.#socket.unref();
  }

  /** A datagram dropped in the output hook comes back as EPERM. */
  send(address: string): Promise<Beat> {
    const { promise, resolve } = Promise.withResolvers<Beat>();
    this.#socket.send(DATAGRAM, PORT, address, (error) => {
      resolve((error as NodeJS.ErrnoException | null)?.code === 'EPERM' ? 'seen' : 'unseen');
    });
    return promise;
  }

  close(): void {
    this.#socket.close();
  }
}
