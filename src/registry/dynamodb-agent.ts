import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';

/**
 * A connection idle for longer than this, by the wall clock, is not used again: the process may have been frozen, or
 * the path may have forgotten it, and a call that finds out has lost its time.
 */
const MAX_IDLE_MS = 10_000;
const OPTIONS = { keepAlive: true, maxSockets: 50 };

/** Kept connections to DynamoDB, of which old ones are let go before each call. */
export interface FreshAgents {
  readonly httpAgent: http.Agent;
  readonly httpsAgent: https.Agent;
  dropIdle(): void;
}

/** `now` is the wall clock in milliseconds. */
export function createFreshAgents(now: () => number = Date.now): FreshAgents {
  const freedAt = new WeakMap<Duplex, number>();
  const agents = { httpAgent: new http.Agent(OPTIONS), httpsAgent: new https.Agent(OPTIONS) };
  const all = Object.values(agents);
  for (const agent of all) agent.on('free', (socket: Duplex) => freedAt.set(socket, now()));

  return {
    ...agents,
    dropIdle() {
      const free = all.flatMap(({ freeSockets }) => Object.values(freeSockets)).flatMap((sockets) => sockets ?? []);
      for (const socket of free) {
        if (Math.abs(now() - (freedAt.get(socket) ?? 0)) > MAX_IDLE_MS) socket.destroy();
      }
    },
  };
}
