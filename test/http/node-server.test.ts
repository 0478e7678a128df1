import http from 'node:http';
import { describe, expect, it } from 'vitest';
import { Flag, FrameType, frame, headerBlock, PREFACE } from '../support/http2-frames.ts';
import { closed, GOOD_TARGET, startLoopbackServer } from '../support/loopback-server.ts';

describe('closing', () => {
  it.each([
    [
      'an HTTP/1.1 client in the middle of its request',
      'HTTP/1.1',
      Buffer.from('POST /dns-query HTTP/1.1\r\nHost: localhost\r\n'),
    ],
    ['an HTTP/1.1 client that says nothing', 'HTTP/1.1', Buffer.alloc(0)],
    [
      'an HTTP/2 client in the middle of a request',
      'HTTP/2',
      Buffer.concat([PREFACE, frame(FrameType.headers, Flag.endHeaders, 1, headerBlock('/dns-query', 'POST'))]),
    ],
    ['an HTTP/2 client that never closes its session', 'HTTP/2', PREFACE],
    ['an HTTP/2 client that says nothing', 'HTTP/2', Buffer.alloc(0)],
  ] as const)('ends in time, whatever holds on: %s', async (_what, protocol, start) => {
    const server = await startLoopbackServer(protocol);
    const socket = await server.connect();
    socket.write(start);
    expect(await server.serve()).toBe(200);
    await Promise.all([server.stop(), closed(socket)]);
    await expect(server.serve()).rejects.toThrow('ECONNREFUSED');
  });
});

describe('a listener on loopback', () => {
  const statusFor = (port: number, host: string, path: string): Promise<number> => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const request = http.get({ host: '127.0.0.1', port, path, headers: { host }, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', reject);
    return promise;
  };

  it('answers requests for loopback only, each time anew (DNS rebinding)', async () => {
    const server = await startLoopbackServer('HTTP/1.1');
    const statuses = [];
    for (const host of [
      'localhost:80',
      'page.example',
      'localhost:80',
      'localhost.page.example',
      '[::1]:8053',
      '127.0.0.2',
    ]) {
      statuses.push(await statusFor(server.port, host, GOOD_TARGET));
    }
    expect(statuses).toEqual([200, 421, 200, 421, 200, 200]);
    expect(await statusFor(server.port, 'page.example', '/apis')).toBe(421);
    await server.close();
  });

  it('does so over HTTP/2, too', async () => {
    const server = await startLoopbackServer('HTTP/2');
    expect(await server.serve('page.example')).toBe(421);
    expect(await server.serve('localhost')).toBe(200);
    await server.close();
  });
});
