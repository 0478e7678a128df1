import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Attempt } from '../../src/forward/attempt.ts';
import { DohClient, type Exchanged } from '../../src/forward/doh-client.ts';
import type { Upstream } from '../../src/forward/upstream.ts';
import { answersOf, query } from '../support/dns.ts';
import {
  type Action,
  answer,
  type DohUpstreamOptions,
  octets,
  type Protocol,
  rcode,
  DohUpstream as TestUpstream,
  withMediaType,
  withStatus,
  wrongId,
  wrongQuestion,
} from '../support/doh-upstream.ts';

const running: { close(): void | Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.close()));
});

async function startUpstream(options: DohUpstreamOptions = {}): Promise<TestUpstream> {
  const upstream = await TestUpstream.start(options);
  running.push(upstream);
  return upstream;
}

function clientOf({ url, ca }: TestUpstream, options: Partial<Upstream> & { now?: () => number } = {}): DohClient {
  const { now, ...settings } = options;
  const client = new DohClient({ url, ...(ca !== undefined && { ca }), ...settings }, now);
  running.push(client);
  return client;
}

const LONG_ENOUGH_MS = 10_000;

function ask(client: DohClient, qname = 'example.com', attempt = new Attempt(LONG_ENOUGH_MS)): Promise<Exchanged> {
  const { wire, question } = query(qname, 'A');
  if (question === undefined) throw new Error('a query without a question');
  return client.exchange(wire, question, attempt).finally(() => attempt.end());
}

function givenUp(): Attempt {
  const attempt = new Attempt(LONG_ENOUGH_MS);
  attempt.giveUp();
  return attempt;
}

/** Plays the actions in order, and answers when there is none left. */
async function startActing(protocol: Protocol, ...actions: Action[]): Promise<TestUpstream> {
  return startUpstream({ protocol, script: (request) => actions.shift() ?? answer(request) });
}

const OK = expect.objectContaining({ ok: true });
const failure = (kind: string, message: string) =>
  expect.objectContaining({ ok: false, kind, message: expect.stringContaining(message) });

/** A wall clock that stands still until it is told. */
function clock(): { now: () => number; advance: (ms: number) => void } {
  let time = 1_800_000_000_000;
  return {
    now: () => time,
    advance: (ms) => {
      time += ms;
    },
  };
}

const PROTOCOLS: readonly Protocol[] = ['h2', 'h1', 'plain'];

describe.each(PROTOCOLS)('an exchange over %s', (protocol) => {
  it('is a POST of the message (RFC 8484 section 4.1)', async () => {
    const upstream = await startUpstream({ protocol });
    const exchanged = await ask(clientOf(upstream, { url: `${upstream.url}?tenant=a` }));
    expect(exchanged.ok && answersOf(exchanged.wire)).toEqual(['example.com 60 A 192.0.2.1']);
    expect(upstream.requests).toEqual([
      expect.objectContaining({
        method: 'POST',
        path: '/dns-query?tenant=a',
        authority: new URL(upstream.url).host,
        body: query('example.com', 'A').wire,
        headers: expect.objectContaining({
          'content-type': 'application/dns-message',
          accept: 'application/dns-message',
          'content-length': '29',
        }),
      }),
    ]);
  });

  it('follows another on the same connection', async () => {
    const upstream = await startUpstream({ protocol });
    const client = clientOf(upstream);
    for (const qname of ['a.example', 'b.example', 'c.example']) expect(await ask(client, qname)).toEqual(OK);
    expect(upstream.connections).toBe(1);
  });

  it('takes a media type with parameters, and an id other than 0', async () => {
    const script = (request: Parameters<typeof wrongId>[0]) => ({
      ...wrongId(request),
      headers: { 'content-type': 'Application/DNS-Message; charset=x' },
    });
    expect(await ask(clientOf(await startUpstream({ protocol, script })))).toEqual(OK);
  });

  it.each([
    ['17', 17],
    ['x', 0],
    ['-1', 0],
    ['1, 2', 0],
  ])('reads Age: %s as %i seconds', async (age, seconds) => {
    const upstream = await startUpstream({ protocol, script: (request) => answer(request, {}, { age }) });
    expect(await ask(clientOf(upstream))).toMatchObject({ ok: true, age: seconds });
  });

  it('passes NXDOMAIN on as an answer', async () => {
    const upstream = await startUpstream({ protocol, script: (request) => rcode(request, 3) });
    expect(await ask(clientOf(upstream))).toEqual(OK);
  });

  it.each([
    [2, 'SERVFAIL'],
    [5, 'REFUSED'],
  ])('fails with rcode %i and the message', async (code, message) => {
    const upstream = await startUpstream({ protocol, script: (request) => rcode(request, code) });
    expect(await ask(clientOf(upstream))).toMatchObject({
      ok: false,
      kind: 'rcode',
      message,
      wire: expect.any(Buffer),
    });
  });

  it('fails with another status', async () => {
    const upstream = await startUpstream({ protocol, script: (request) => withStatus(request, 503) });
    expect(await ask(clientOf(upstream))).toEqual(failure('status', '503'));
  });

  it.each(['text/html', 'application/dns-message+x'])('fails with media type %s', async (type) => {
    const upstream = await startUpstream({ protocol, script: (request) => withMediaType(request, type) });
    expect(await ask(clientOf(upstream))).toEqual(failure('media-type', type));
  });

  it.each<[string, Action]>([
    ['a response to another question', wrongQuestion()],
    ['an empty body', octets(Buffer.alloc(0))],
    ['a body that is no DNS message', octets(Buffer.alloc(100, 0xff))],
    ['a body over 65535 octets, declared', octets(Buffer.alloc(65_536), { 'content-length': '65536' })],
    ['a body over 65535 octets, undeclared', octets(Buffer.alloc(1_000_000))],
  ])('fails with %s', async (_, action) => {
    const upstream = await startActing(protocol, action);
    const client = clientOf(upstream);
    expect(await ask(client)).toEqual(failure('message', ''));
    expect(await ask(client)).toEqual(OK);
  });

  it('does not read a body that is declared too large', async () => {
    const upstream = await startActing(protocol, octets(Buffer.alloc(40_000_000), { 'content-length': '40000000' }));
    await ask(clientOf(upstream));
    expect(await upstream.requests[0]?.served).toBe(false);
  });

  it('fails when the response is cut short, and is not repeated', async () => {
    const upstream = await startActing(protocol, 'cut');
    expect(await ask(clientOf(upstream))).toEqual(failure('transport', ''));
    expect(upstream.requests).toHaveLength(1);
  });

  it('takes no longer than its attempt has', async () => {
    const upstream = await startActing(protocol, 'hang');
    const client = clientOf(upstream);
    expect(await ask(client, 'slow.example', new Attempt(50))).toEqual(failure('timeout', 'no answer within 50 ms'));
    expect(await upstream.requests[0]?.served).toBe(false);
    expect(await ask(client)).toEqual(OK);
  });

  it('is not begun when its attempt was given up, whether there is a connection or not', async () => {
    const upstream = await startUpstream({ protocol });
    const client = clientOf(upstream);
    expect(await ask(client, 'early.example', givenUp())).toEqual(failure('timeout', ''));
    expect(await ask(client)).toEqual(OK);
    expect(await ask(client, 'late.example', givenUp())).toEqual(failure('timeout', ''));
    expect(upstream.requests).toHaveLength(1);
  });

  it('lets go of its attempt, whatever becomes of it', async () => {
    const actions: Action[] = ['reset', 'cut', wrongQuestion(), octets(Buffer.alloc(70_000))];
    const upstream = await startActing(protocol, ...actions);
    const client = clientOf(upstream);
    for (const _ of [...actions, 'answer']) {
      const attempt = new Attempt(LONG_ENOUGH_MS);
      await ask(client, 'example.com', attempt);
      expect(attempt.carrier).toBeUndefined();
    }
  });

  it('is not cancelled when another is given up', async () => {
    const upstream = await startUpstream({
      protocol,
      script: (request) => (request.query.question?.qname === 'slow.example' ? 'hang' : sleep(100, answer(request))),
    });
    const client = clientOf(upstream);
    const slow = ask(client, 'slow.example', new Attempt(50));
    const other = ask(client, 'other.example');
    expect(await slow).toEqual(failure('timeout', ''));
    expect(await other).toEqual(OK);
  });

  it('connects anew after 10 seconds of wall clock without a sign of life', async () => {
    const { now, advance } = clock();
    const upstream = await startUpstream({ protocol });
    const client = clientOf(upstream, { now });
    await ask(client);
    advance(9_000);
    await ask(client);
    expect(upstream.connections).toBe(1);
    advance(10_001);
    expect(await ask(client)).toEqual(OK);
    expect(upstream.connections).toBe(2);
    advance(-3_600_000);
    expect(await ask(client)).toEqual(OK);
    expect(upstream.connections).toBe(3);
    await vi.waitFor(() => expect(upstream.openConnections).toBe(1));
  });

  it('has a fresh connection after one on a blackholed connection timed out', async () => {
    const upstream = await startUpstream({ protocol });
    const client = clientOf(upstream, clock());
    await ask(client);
    upstream.blackhole();
    expect(await ask(client, 'lost.example', new Attempt(100))).toEqual(failure('timeout', ''));
    expect(await ask(client)).toEqual(OK);
    expect(upstream.connections).toBe(2);
  });

  it('is repeated once when a connection in use turns out to be closed', async () => {
    const upstream = await startUpstream({ protocol });
    const client = clientOf(upstream);
    await ask(client);
    const actions: Action[] = ['disconnect'];
    upstream.script = (request) => actions.shift() ?? answer(request);
    expect(await ask(client)).toEqual(OK);
    expect(upstream.requests).toHaveLength(3);
  });

  it('is not repeated endlessly', async () => {
    const upstream = await startUpstream({ protocol, script: () => 'disconnect' });
    expect(await ask(clientOf(upstream))).toEqual(failure('transport', ''));
    expect(upstream.requests.length).toBeLessThanOrEqual(2);
  });

  it('fails at once where nobody listens', async () => {
    const upstream = await startUpstream({ protocol });
    const client = clientOf(upstream);
    await upstream.close();
    expect(await ask(client)).toEqual(failure('transport', 'ECONNREFUSED'));
  });

  it('fails when the client is closed meanwhile, and afterwards', async () => {
    const upstream = await startUpstream({ protocol, script: () => 'hang' });
    const client = clientOf(upstream);
    const pending = ask(client);
    await vi.waitFor(() => expect(upstream.requests).toHaveLength(1));
    client.close();
    expect(await pending).toEqual(failure('transport', ''));
    expect(await ask(client)).toEqual(failure('transport', 'closed'));
    await vi.waitFor(() => expect(upstream.openConnections).toBe(0));
  });
});

describe('an HTTP/2 session', () => {
  it('carries 500 exchanges at a time', async () => {
    const upstream = await startUpstream();
    const client = clientOf(upstream);
    const exchanged = await Promise.all(Array.from({ length: 500 }, (_, index) => ask(client, `n${index}.example`)));
    expect(exchanged.filter(({ ok }) => ok)).toHaveLength(500);
    expect(new Set(upstream.qnames).size).toBe(500);
    expect(upstream.connections).toBe(1);
  });

  it('goes when a PING is unanswered, and the exchange is repeated on another', async () => {
    const { now, advance } = clock();
    const upstream = await startUpstream();
    const client = clientOf(upstream, { now });
    await ask(client);
    upstream.blackhole();
    advance(1_000);
    expect(await ask(client)).toEqual(OK);
    expect(upstream.connections).toBe(2);
  });

  it('that may only have been slow casts no doubt on the upstream until the next one fails', async () => {
    const upstream = await startUpstream({
      protocol: 'h1',
      script: (request) => (request.query.question?.qname === 'slow.example' ? 'hang' : answer(request)),
    });
    const client = clientOf(upstream);
    await ask(client);
    const both = ['slow.example', 'slow.example'].map((qname) => ask(client, qname, new Attempt(50)));
    expect(await Promise.all(both)).toEqual([failure('timeout', ''), failure('timeout', '')]);
    expect(client.isConnected).toBe(true);
    upstream.ignoresConnections = true;
    expect(await ask(client)).toEqual(failure('transport', 'no TLS connection'));
    expect(client.isConnected).toBe(false);
  });

  it('stays when it answers PINGs while an exchange times out', async () => {
    const { now, advance } = clock();
    const upstream = await startUpstream();
    const client = clientOf(upstream, { now });
    await ask(client);
    upstream.script = (request) => (request.query.question?.qname === 'slow.example' ? 'hang' : answer(request));
    advance(1_000);
    await ask(client, 'slow.example', new Attempt(100));
    expect(await ask(client)).toEqual(OK);
    expect(upstream.connections).toBe(1);
  });

  it('that retires lets its other exchanges finish', async () => {
    const { now, advance } = clock();
    const upstream = await startUpstream({ script: (request) => sleep(100, answer(request)) });
    const client = clientOf(upstream, { now });
    await ask(client);
    const early = ask(client, 'early.example');
    advance(20_000);
    expect(await ask(client, 'late.example')).toEqual(OK);
    expect(await early).toEqual(OK);
    expect(upstream.connections).toBe(2);
  });

  it.each<[Action, number]>([
    ['goaway', 2],
    ['disconnect', 2],
    ['refuse', 1],
  ])('repeats an exchange after %s (connections in all: %i)', async (action, connections) => {
    const upstream = await startUpstream();
    const client = clientOf(upstream);
    await ask(client);
    const actions = [action];
    upstream.script = (request) => actions.shift() ?? answer(request);
    expect(await ask(client)).toEqual(OK);
    expect(await ask(client)).toEqual(OK);
    expect(upstream.connections).toBe(connections);
    expect(upstream.requests).toHaveLength(4);
  });

  it('keeps to the number of streams its server allows, from the start', async () => {
    const upstream = await startUpstream({ maxStreams: 5, script: (request) => sleep(1, answer(request)) });
    const client = clientOf(upstream);
    const exchanged = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(client, `n${index}.example`)));
    expect(exchanged.filter(({ ok }) => ok)).toHaveLength(100);
    expect(upstream.connections).toBe(1);
  });

  it('stays when the server resets one stream', async () => {
    const upstream = await startActing('h2', 'reset');
    const client = clientOf(upstream);
    expect(await ask(client)).toEqual(failure('transport', ''));
    expect(await ask(client)).toEqual(OK);
    expect(upstream.connections).toBe(1);
  });

  it('is dialled once for all who wait, and goes on being dialled when they do not', async () => {
    const upstream = await startUpstream();
    const client = clientOf(upstream);
    const impatient = new Attempt(LONG_ENOUGH_MS);
    const waiting = [ask(client, 'a.example', impatient), ask(client, 'b.example'), ask(client, 'c.example')];
    impatient.giveUp();
    expect(await Promise.all(waiting)).toEqual([failure('timeout', ''), OK, OK]);
    expect(upstream.connections).toBe(1);
  });
});

describe('connecting', () => {
  it.each<Protocol>(['h2', 'h1'])('goes to the bootstrap address with the name of the URL (%s)', async (protocol) => {
    const upstream = await startUpstream({ protocol, host: 'doh.example' });
    const client = clientOf(upstream, { bootstrap: ['127.0.0.1'] });
    const many = await Promise.all(['a.example', 'b.example'].map((qname) => ask(client, qname)));
    expect(many).toEqual([OK, OK]);
    for (const { servername, authority } of upstream.requests) {
      expect(servername).toBe('doh.example');
      expect(authority).toBe(new URL(upstream.url).host);
    }
  });

  it('tries the next bootstrap address when one refuses', async () => {
    const upstream = await startUpstream({ host: 'doh.example' });
    const client = clientOf(upstream, { bootstrap: ['127.0.0.2', '::1', '127.0.0.1'] });
    expect(await ask(client)).toEqual(OK);
  });

  it('asks the system for a name without bootstrap addresses', async () => {
    const upstream = await startUpstream({ host: 'localhost' });
    expect(await ask(clientOf(upstream))).toEqual(OK);
  });

  it('fails when the certificate is for another name', async () => {
    const upstream = await startUpstream({ host: 'doh.example' });
    const url = upstream.url.replace('doh.example', 'other.example');
    const client = clientOf(upstream, { url, bootstrap: ['127.0.0.1'] });
    expect(await ask(client)).toEqual(failure('transport', 'other.example'));
    expect(upstream.requests).toEqual([]);
  });

  it('fails when the authority is not trusted', async () => {
    const { url } = await startUpstream();
    const client = new DohClient({ url });
    expect(await ask(client)).toEqual(failure('transport', 'certificate'));
    client.close();
  });

  it('does not outlive its query by much where connections are ignored, and comes back by itself', async () => {
    const upstream = await startUpstream();
    const client = clientOf(upstream);
    upstream.ignoresConnections = true;
    expect(await ask(client, 'a.example', new Attempt(100))).toEqual(failure('timeout', ''));
    expect(await ask(client, 'b.example')).toEqual(failure('transport', 'no TLS connection'));
    upstream.ignoresConnections = false;
    expect(await ask(client, 'c.example')).toEqual(OK);
  });

  it('fails with a server that does not speak TLS', async () => {
    const server = net.createServer((socket) => socket.on('error', () => socket.destroy()).end('220 ready\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = new DohClient({ url: `https://127.0.0.1:${(server.address() as net.AddressInfo).port}/` });
    expect(await ask(client)).toEqual(failure('transport', ''));
    client.close();
    server.close();
  });
});
