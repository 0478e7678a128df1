import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { type NodeServer, startNodeServer } from '../../src/http/node-server.ts';
import { createCertificate } from '../support/certificate.ts';

const IDLE_MS = 150;
const { ca, cert, key } = createCertificate();

/** An answer that says nothing for several times as long as a connection may be idle, and one without an end. */
const app = new Hono()
  .get('/quiet', () => {
    async function* parts() {
      yield 'first ';
      await sleep(4 * IDLE_MS);
      yield 'last';
    }
    return new Response(ReadableStream.from(parts()).pipeThrough(new TextEncoderStream()));
  })
  .get('/endless', () => {
    const chunk = new Uint8Array(65_536);
    return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }));
  });

let server: NodeServer;
const ends: (() => void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  await server.close();
});

const start = async (secure: boolean): Promise<void> => {
  server = await startNodeServer({
    address: '127.0.0.1',
    port: 0,
    ...(secure ? { tls: { cert, key } } : {}),
    idleTimeoutMs: IDLE_MS,
    app,
    doh: () => Promise.reject(new Error('no DoH here')),
    report: () => undefined,
  });
};

async function overHttp1(path: string, secure: boolean): Promise<Readable> {
  const { promise, resolve, reject } = Promise.withResolvers<Readable>();
  const where = { host: 'localhost', port: server.port, path, agent: false as const };
  const request = secure ? https.get({ ...where, ca }, resolve) : http.get({ ...where, host: '127.0.0.1' }, resolve);
  request.on('error', reject);
  ends.push(() => request.destroy());
  return promise;
}

async function overHttp2(path: string): Promise<Readable> {
  const session = http2.connect(`https://localhost:${server.port}`, { ca });
  session.on('error', () => undefined);
  ends.push(() => session.destroy());
  const stream = session.request({ ':path': path });
  stream.on('error', () => undefined);
  return stream;
}

describe.each<[string, boolean, (path: string) => Promise<Readable>]>([
  ['HTTP/1.1', false, (path) => overHttp1(path, false)],
  ['HTTP/1.1 and TLS', true, (path) => overHttp1(path, true)],
  ['HTTP/2', true, overHttp2],
])('over %s', (_, secure, ask) => {
  it('an answer may be quiet for longer than a connection may be idle, which ends the connection afterwards', async () => {
    await start(secure);
    expect(await text(await ask('/quiet'))).toBe('first last');
    await expect.poll(() => server.connections).toBe(0);
  });

  it('a client that does not read what it asked for is not waited for', async () => {
    await start(secure);
    const answer = await ask('/endless');
    answer.on('error', () => undefined);
    answer.pause();
    await expect.poll(() => server.connections).toBe(1);
    await expect.poll(() => server.connections, { timeout: 5_000 }).toBe(0);
  });
});
