import type { Server, Socket } from 'node:net';
import { isLoopback } from '../dns/loopback.ts';

/**
 * Closes at once what one client address opens beyond `most` connections, so that no single one takes all that a server
 * has. This machine's own are not counted: what stands in front of a server is often a proxy beside it.
 */
export function limitPerAddress(server: Pick<Server, 'on'>, most: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const from = socket.remoteAddress;
    // Undefined: it is closed already.
    if (from === undefined || isLoopback(from)) return;
    const count = (open.get(from) ?? 0) + 1;
    if (count > most) {
      socket.destroy();
      return;
    }
    open.set(from, count);
    socket.once('close', () => {
      const left = (open.get(from) ?? 0) - 1;
      if (left > 0) open.set(from, left);
      else open.delete(from);
    });
  });
}
