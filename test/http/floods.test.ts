import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Flag, FrameType, frame, headerBlock, PREFACE } from '../support/http2-frames.ts';
import { closed, GOOD_TARGET, type LoopbackServer, startLoopbackServer } from '../support/loopback-server.ts';

/** Far above what the largest of these floods may cost, far below what it sends or asks for. */
const MEMORY_BOUND = 96 * 1024 * 1024;

let server: LoopbackServer;
afterEach(async () => {
  await server.close();
  expect(server.faults).toEqual([]);
});

const POST_HEADERS = headerBlock('/dns-query', 'POST');
const GET_HEADERS = headerBlock(GOOD_TARGET);

/** Writes until the other side has closed, waiting for it to read; how many pieces it took. */
async function flood(socket: Socket, piece: (index: number) => Buffer, most: number): Promise<number> {
  const gone = closed(socket);
  let index = 0;
  for (; index < most && !socket.destroyed; index++) {
    if (socket.write(piece(index))) continue;
    await Promise.race([once(socket, 'drain').catch(() => undefined), gone]);
  }
  await new Promise((resolve) => setImmediate(resolve));
  return index;
}

/** The flood ends in a closed connection, while somebody else is served and memory stays where it was. */
async function survives(socket: Socket, piece: (index: number) => Buffer, most: number): Promise<void> {
  const before = process.memoryUsage().rss;
  const [, status] = await Promise.all([flood(socket, piece, most), server.serve()]);
  expect(status).toBe(200);
  await closed(socket);
  expect(await server.serve()).toBe(200);
  expect(process.memoryUsage().rss - before).toBeLessThan(MEMORY_BOUND);
}

describe('HTTP/1.1', () => {
  it('another client is served beside 500 connections that say nothing, and they are closed', async () => {
    server = await startLoopbackServer('HTTP/1.1', 500);
    const sockets = await Promise.all(Array.from({ length: 500 }, () => server.connect()));
    expect(await server.serve()).toBe(200);
    await Promise.all(sockets.map(closed));
    expect(await server.serve()).toBe(200);
  });

  it.each([
    ['a header that does not end', `GET ${GOOD_TARGET} HTTP/1.1\r\nHost: localhost\r\nX: `],
    [
      'a body that does not end',
      'POST /dns-query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dns-message\r\nContent-Length: 4000\r\n\r\n',
    ],
    [
      'chunks that do not end',
      'POST /dns-query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dns-message\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
  ])('%s, in slow drops, is cut off', async (_what, start) => {
    server = await startLoopbackServer('HTTP/1.1', 500);
    const socket = await server.connect();
    socket.write(start);
    const drops = setInterval(() => socket.write('1'), 50);
    expect(await server.serve()).toBe(200);
    await closed(socket);
    clearInterval(drops);
  });

  it.each([
    [
      'a header of megabytes',
      (index: number) => Buffer.from(index === 0 ? 'GET / HTTP/1.1\r\nX: ' : 'x'.repeat(16_384)),
    ],
    [
      'thousands of fields',
      (index: number) => Buffer.from(index === 0 ? 'GET / HTTP/1.1\r\n' : 'a: b\r\n'.repeat(2_000)),
    ],
    [
      'a body of megabytes',
      (index: number) =>
        index === 0
          ? Buffer.from(
              'POST /dns-query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dns-message\r\nContent-Length: 1000000000\r\n\r\n',
            )
          : Buffer.alloc(16_384),
    ],
  ])('%s is refused before it is read', async (_what, piece) => {
    server = await startLoopbackServer('HTTP/1.1');
    await survives(await server.connect(), piece, 10_000);
  });
});

describe('HTTP/2', () => {
  async function connected(requestTimeoutMs?: number): Promise<Socket> {
    server = await startLoopbackServer('HTTP/2', requestTimeoutMs);
    const socket = await server.connect();
    socket.write(PREFACE);
    return socket;
  }

  it('another client is served beside 200 connections that say nothing', async () => {
    server = await startLoopbackServer('HTTP/2', 500);
    const sockets = await Promise.all(Array.from({ length: 200 }, () => server.connect()));
    expect(sockets.every((socket) => !socket.destroyed)).toBe(true);
    expect(await server.serve()).toBe(200);
  });

  it('rapid reset: streams that are opened and cancelled', async () => {
    const cancel = Buffer.from('00000008', 'hex');
    const piece = (index: number) =>
      Buffer.concat([
        frame(FrameType.headers, Flag.endHeaders, 2 * index + 1, POST_HEADERS),
        frame(FrameType.reset, 0, 2 * index + 1, cancel),
      ]);
    await survives(await connected(), piece, 200_000);
  });

  it('streams without end: more than are allowed at once', async () => {
    const piece = (index: number) => frame(FrameType.headers, Flag.endHeaders, 2 * index + 1, POST_HEADERS);
    await survives(await connected(), piece, 200_000);
  });

  it('CONTINUATION without end', async () => {
    const block = Buffer.alloc(16_000, Buffer.from('00016101620001630164', 'hex'));
    const piece = (index: number) =>
      index === 0 ? frame(FrameType.headers, 0, 1, GET_HEADERS) : frame(FrameType.continuation, 0, 1, block);
    await survives(await connected(), piece, 20_000);
  });

  it('empty CONTINUATION without end', async () => {
    const piece = (index: number) =>
      index === 0 ? frame(FrameType.headers, 0, 1, GET_HEADERS) : frame(FrameType.continuation, 0, 1);
    await survives(await connected(), piece, 200_000);
  });

  it.each([
    ['SETTINGS', frame(FrameType.settings, 0, 0, Buffer.from('000400100000', 'hex'))],
    ['PING', frame(FrameType.ping, 0, 0, Buffer.alloc(8))],
  ])('%s whose acknowledgements nobody reads', async (_what, one) => {
    const socket = await connected();
    socket.pause();
    const many = Buffer.concat(Array.from({ length: 500 }, () => one));
    const before = process.memoryUsage().rss;
    let refused = false;
    for (let index = 0; index < 4_000 && !socket.destroyed && !refused; index++) {
      if (!socket.write(many))
        refused = !(await Promise.race([once(socket, 'drain'), sleep(500), closedUnread(socket)]));
    }
    expect(await server.serve()).toBe(200);
    expect(process.memoryUsage().rss - before).toBeLessThan(MEMORY_BOUND);
  });

  it('a header bomb, one large field that is referred to thousands of times, is reset at each try', async () => {
    const socket = await connected();
    const value = Buffer.alloc(4056, 'x');
    const large = Buffer.concat([Buffer.from('4001617fd91e', 'hex'), value]);
    const bomb = Buffer.concat([GET_HEADERS, large, Buffer.alloc(11_000, 0xbe)]);
    const streams = Array.from({ length: 200 }, (_, index) => 2 * index + 1);
    const resets = Promise.race([resetsOf(socket, streams), closedUnread(socket)]);
    const before = process.memoryUsage().rss;
    for (const stream of streams) {
      socket.write(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, stream, bomb));
    }
    await resets;
    expect(await server.serve()).toBe(200);
    expect(process.memoryUsage().rss - before).toBeLessThan(MEMORY_BOUND);
  });

  it('a body in slow drops is cut off', async () => {
    const socket = await connected(500);
    socket.write(frame(FrameType.headers, Flag.endHeaders, 1, POST_HEADERS));
    const reset = resetsOf(socket, [1]);
    const drops = setInterval(() => socket.write(frame(FrameType.data, 0, 1, Buffer.of(0))), 50);
    expect(await server.serve()).toBe(200);
    await reset;
    clearInterval(drops);
  });

  it('answers that nobody reads', async () => {
    const socket = await connected();
    socket.write(frame(FrameType.windowUpdate, 0, 0, Buffer.from('7fff0000', 'hex')));
    socket.pause();
    const before = process.memoryUsage().rss;
    for (let index = 0; index < 20_000 && !socket.destroyed; index++) {
      const one = frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 2 * index + 1, GET_HEADERS);
      if (!socket.write(one) && !(await Promise.race([once(socket, 'drain'), sleep(300)]))) break;
    }
    expect(await server.serve()).toBe(200);
    expect(process.memoryUsage().rss - before).toBeLessThan(MEMORY_BOUND);
  });
});

const sleep = (ms: number): Promise<undefined> => new Promise((resolve) => setTimeout(() => resolve(undefined), ms));

const closedUnread = (socket: Socket): Promise<undefined> =>
  new Promise((resolve) => socket.once('close', () => resolve(undefined)));

/** Resolves when the server has reset all of the streams. */
function resetsOf(socket: Socket, streams: readonly number[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const open = new Set(streams);
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = endOfFrame(rest); end <= rest.length; end = endOfFrame(rest)) {
      if (rest[3] === FrameType.reset) open.delete(rest.readUInt32BE(5));
      rest = rest.subarray(end);
    }
    if (open.size === 0) resolve();
  });
  return promise;
}

const endOfFrame = (octets: Buffer): number =>
  octets.length < 9 ? Number.POSITIVE_INFINITY : 9 + octets.readUIntBE(0, 3);
