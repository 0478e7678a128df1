import http2 from 'node:http2';
import { afterEach, expect, it } from 'vitest';
import { createDohTransaction } from '../../src/http/doh-transaction.ts';
import { openCredentials } from '../../src/http/local-credentials.ts';
import { createAnswering, hostRecord } from '../support/answering.ts';
import { queryWire } from '../support/dns.ts';
import { closed, type LoopbackServer, startLoopbackServer } from '../support/loopback-server.ts';
import { DEFAULT_VIEW } from '../support/registry.ts';
import { mutate, type Seeded, seeded } from '../support/seeded.ts';

/** Through the transaction itself, and by sockets, which take most of the time. */
const CALLS = 100_000;
const RUNS = 1_200;
const AT_ONCE = 24;

const WIRE = queryWire('one.internal', 'A', { padded: true });
const GET = `/dns-query?dns=${WIRE.toString('base64url')}`;
const TARGETS = [
  ...[
    GET,
    '/dns-query',
    '/token/dns-query?dns=AAAA',
    '/dns-query?dns=',
    '/dns-query?dns=AAAA&dns=AAAA',
    `${GET}&vips=2`,
  ],
  ...['/dns-query?name=one.internal', '/dns-query?name=..&type=A', '/dns-query?name=a&type=99999', '/', '/apis/x', '*'],
  ...['//dns-query', '/dns-query/', '/dns-query?%', '/dns-query?name=%ff%00', '/%', '/dns-query?dns=%41', 'http://[/'],
];
const METHODS = ['GET', 'GET', 'POST', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'DELETE', 'TRACE', 'PATCH', 'QUERY'];
const ACCEPTS = [
  '*/*',
  'application/dns-message',
  'text/html;q=0',
  ';;;,q=,',
  'application/dns-json',
  ', '.repeat(500),
];
const TYPES = ['application/dns-message', 'APPLICATION/DNS-MESSAGE; x=y', 'text/plain', ';', ''];

interface Request {
  readonly method: string;
  readonly target: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

function requestFrom(random: Seeded): Request {
  const target = random.oneOf(TARGETS);
  const odd = random.below(4) === 0 ? mutate(random, Buffer.from(target)).toString('latin1') : target;
  return {
    method: random.oneOf(METHODS),
    target: odd.replaceAll(/[^\x21-\x7e]/g, '%80') || '/',
    headers: {
      accept: random.oneOf(ACCEPTS),
      'content-type': random.oneOf(TYPES),
      ...(random.below(3) === 0 ? { authorization: `Bearer ${random.octets(9).toString('base64')}` } : {}),
    },
    body: random.below(3) === 0 ? Buffer.alloc(random.below(20_000)) : mutate(random, WIRE),
  };
}

const textOf = ({ method, target, headers, body }: Request): Buffer =>
  Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`),
    ...Object.entries(headers).map(([field, value]) => Buffer.from(`${field}: ${value}\r\n`)),
    Buffer.from(`Content-Length: ${body.length}\r\n\r\n`),
    body,
  ]);

const HOSTS = [hostRecord('one.internal'), hostRecord('*.wild.internal', { addresses: ['192.0.2.3'] })];

it(`${CALLS} hostile requests to the transaction: never a 5xx, never a fault, in bounded work`, async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  const random = seeded(seed);
  const answering = createAnswering(HOSTS, 0);
  const { exchange, reads, forwarded } = answering;
  const doh = createDohTransaction({ exchange, credentials: openCredentials(DEFAULT_VIEW), queryTimeoutMs: 60_000 });
  const statuses = new Map<number, number>();
  for (let call = 0; call < CALLS; call++) {
    const { method, target, headers, body } = requestFrom(random);
    const { status } = await doh({ method, target, header: (field) => headers[field], body });
    if (status >= 500) expect.fail(`seed ${seed}, call ${call}: ${method} ${target} is answered ${status}`);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 204, 400, 404, 405, 413, 415]));
  expect(statuses.get(200)).toBeGreaterThan(CALLS / 50);
  expect(reads.count).toBeLessThanOrEqual(statuses.get(200) ?? 0);
  expect(forwarded.length).toBeLessThanOrEqual(statuses.get(200) ?? 0);
}, 120_000);

let server: LoopbackServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Runs so many at a time; the statuses that came of them. */
async function statusesOf(
  target: LoopbackServer,
  one: (random: Seeded) => Promise<number>,
): Promise<Map<number, number>> {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  const random = seeded(seed);
  const statuses = new Map<number, number>();
  let left = RUNS;
  const worker = async () => {
    while (left-- > 0) {
      const status = await one(random);
      if (status >= 500) expect.fail(`seed ${seed}: status ${status}`);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  expect(target.faults, `seed ${seed}`).toEqual([]);
  expect(await target.serve()).toBe(200);
  return statuses;
}

it(`${RUNS} hostile requests over HTTP/1.1: never a 5xx, never a fault`, async () => {
  const target = await startLoopbackServer('HTTP/1.1');
  server = target;
  const statuses = await statusesOf(target, async (random) => {
    const socket = await target.connect();
    const text = textOf(requestFrom(random));
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.end(random.below(6) === 0 ? mutate(random, text) : text);
    await closed(socket);
    return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0);
  });
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 404, 405, 413, 415]));
}, 60_000);

it(`${RUNS} hostile requests over HTTP/2: never a 5xx, never a fault`, async () => {
  const target = await startLoopbackServer('HTTP/2');
  server = target;
  const session = http2.connect(`https://localhost:${target.port}`, { rejectUnauthorized: false });
  const statuses = await statusesOf(target, (random) => {
    const { method, target: path, headers, body } = requestFrom(random);
    const { promise, resolve } = Promise.withResolvers<number>();
    const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: method === 'GET' });
    stream.on('response', (head) => resolve(head[':status'] ?? 0));
    stream.on('error', () => resolve(0));
    stream.on('close', () => resolve(0));
    stream.resume();
    if (random.below(10) === 0) stream.close(http2.constants.NGHTTP2_CANCEL);
    else if (method !== 'GET' && !stream.writableEnded) stream.end(body);
    return promise;
  });
  session.destroy();
  // Cancelled by the client, one in ten, or reset for a body that nobody wants.
  expect(statuses.get(0) ?? 0).toBeLessThan(RUNS / 3);
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 404, 405, 413, 415]));
}, 60_000);
