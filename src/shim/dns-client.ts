import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { uint8, uint16 } from '../dns/octets.ts';
import type { Question } from '../dns/query.ts';
import { sameQuestion } from '../dns/walk.ts';
import type { Attempt } from '../forward/attempt.ts';
import { judgeResponse } from '../forward/incoming.ts';
import { inClear } from '../forward/outgoing.ts';
import { untilAborted } from '../forward/until-aborted.ts';
import type { Exchanged, UpstreamClient } from '../forward/upstream-client.ts';
import { type SocketAddress, socketText } from './socket-address.ts';
import { FrameReader, framed } from './tcp-frames.ts';

/** A datagram may be lost: it is sent again after so long, and then after twice as long. */
const RETRANSMIT_MS = 600;
const MAX_MESSAGE_OCTETS = 0xffff;
const TC = 0x02;

type Reply = { readonly wire: Buffer } | { readonly failed: string };

/**
 * A resolver that is asked in clear, as programs ask it: over UDP, from a port and with an id of its own for each query
 * (RFC 5452 section 9.2), and over TCP where the answer does not fit.
 */
export class DnsClient implements UpstreamClient {
  readonly origin: string;
  readonly #server: SocketAddress;
  readonly #closing = new AbortController();

  constructor(server: SocketAddress) {
    this.#server = server;
    this.origin = `udp://${socketText(server)}`;
  }

  async exchange(outgoing: Buffer, question: Question, attempt: Attempt): Promise<Exchanged> {
    const givingUp = new AbortController();
    attempt.carrier = { onGivenUp: () => givingUp.abort() };
    const ends = AbortSignal.any([givingUp.signal, this.#closing.signal]);
    const query = inClear(outgoing, question, randomInt(0x1_0000));
    const overUdp = await replyWithin(askUdp, this.#server, query, question, ends);
    const isCut = 'wire' in overUdp && (uint8(overUdp.wire, 2) & TC) !== 0;
    const reply = isCut ? await replyWithin(askTcp, this.#server, query, question, ends) : overUdp;
    attempt.carrier = undefined;
    if ('wire' in reply) return judgeResponse(reply.wire, question, 0);
    return { ok: false, kind: ends.aborted ? 'timeout' : 'transport', message: reply.failed };
  }

  close(): void {
    this.#closing.abort();
  }
}

/** Or that there was none before `signal` aborted; no socket is left behind. Never rejects. */
export async function replyWithin(
  ask: Ask,
  server: SocketAddress,
  query: Buffer,
  question: AskedFor,
  signal: AbortSignal,
): Promise<Reply> {
  const ending = new AbortController();
  const reply = await untilAborted(ask(server, query, question, ending.signal), signal);
  ending.abort();
  return reply ?? { failed: 'no answer in time' };
}

type AskedFor = Pick<Question, 'wire'>;

/** Resolves to the first response to the query; never rejects. Aborting closes its socket. */
export type Ask = (server: SocketAddress, query: Buffer, question: AskedFor, signal: AbortSignal) => Promise<Reply>;

const answers = (wire: Buffer, query: Buffer, question: AskedFor): boolean =>
  uint16(wire, 0) === uint16(query, 0) && sameQuestion(wire, question);

export const askUdp: Ask = ({ address, port }, query, question, signal) => {
  const { promise, resolve } = Promise.withResolvers<Reply>();
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  let timer: NodeJS.Timeout | undefined;
  const send = (againMs: number) => {
    socket.send(query, (error) => {
      if (error) resolve({ failed: error.message });
    });
    timer = setTimeout(send, againMs, 2 * againMs);
  };
  // What does not answer the query is somebody's guess (RFC 5452 section 9.1), and no reason to stop listening.
  socket.on('message', (wire) => {
    if (answers(wire, query, question)) resolve({ wire });
  });
  socket.on('error', (error) => resolve({ failed: error.message }));
  // Connected, so that only the server is heard, and a refusal by its host as well. A callback would be called for a
  // server without a route, too, in place of 'error'.
  socket.on('connect', () => send(RETRANSMIT_MS));
  socket.connect(port, address);
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    socket.close();
  });
  return promise;
};

export const askTcp: Ask = ({ address: host, port }, query, question, signal) => {
  const { promise, resolve } = Promise.withResolvers<Reply>();
  const frames = new FrameReader(MAX_MESSAGE_OCTETS);
  const socket = connect({ host, port, noDelay: true }, () => socket.write(framed(query)));
  socket.on('data', (chunk) => {
    frames.push(chunk);
    const frame = frames.next();
    if (frame.kind === 'malformed') resolve({ failed: 'not DNS over TCP' });
    if (frame.kind !== 'message') return;
    resolve(answers(frame.wire, query, question) ? { wire: frame.wire } : { failed: 'not a response to the question' });
  });
  socket.on('error', (error) => resolve({ failed: error.message }));
  socket.on('close', () => resolve({ failed: 'the connection was closed' }));
  signal.addEventListener('abort', () => socket.destroy());
  return promise;
};
