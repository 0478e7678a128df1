import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { FrameReader, framed } from '../tcp-frames.ts';
import { canaryQuery, isCanaryAnswer } from './canary.ts';
import type { ListenAddress } from './capture.ts';

/** Within the second between two beats. */
const TIMEOUT_MS = 800;

/** For commands, which are patient and have a busy host to themselves. */
export const PATIENT_MS = 3000;

/** Whether a shim answers at each of the addresses, over UDP and TCP. Never rejects. */
export async function selfCheck(addresses: readonly ListenAddress[], timeoutMs = TIMEOUT_MS): Promise<boolean> {
  const asked = addresses.flatMap((at) => [answersUdp(at, timeoutMs), answersTcp(at, timeoutMs)]);
  return (await Promise.all(asked)).every(Boolean);
}

const newQuery = (): Buffer => canaryQuery(`check-${randomBytes(8).toString('hex')}`, randomBytes(2).readUInt16BE(0));

const sameId = (response: Buffer, query: Buffer): boolean =>
  response.length >= 2 && response.readUInt16BE(0) === query.readUInt16BE(0);

/** Whether a shim answers there, itself or through a resolver that asks one. */
export function answersUdp({ address, port }: ListenAddress, timeoutMs = TIMEOUT_MS): Promise<boolean> {
  const query = newQuery();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  const timer = setTimeout(resolve, timeoutMs, false);
  // Any answer to it settles it; others are not meant for us.
  socket.on('message', (response) => {
    if (sameId(response, query)) resolve(isCanaryAnswer(response, query));
  });
  socket.on('error', () => resolve(false));
  // Connected, so that a refused port says so at once.
  socket.connect(port, address, () => socket.send(query, () => undefined));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

function answersTcp({ address, port }: ListenAddress, timeoutMs: number): Promise<boolean> {
  const query = newQuery();
  const frames = new FrameReader(4096);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, timeoutMs, false);
  const socket = connect({ host: address, port }, () => socket.write(framed(query)));
  socket.on('data', (chunk) => {
    frames.push(chunk);
    const frame = frames.next();
    if (frame.kind !== 'incomplete') resolve(frame.kind === 'message' && isCanaryAnswer(frame.wire, query));
  });
  socket.on('error', () => resolve(false));
  socket.on('close', () => resolve(false));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}
