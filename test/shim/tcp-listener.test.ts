import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Exchange, Listener } from '../../src/shim/listener.ts';
import { FrameReader, framed } from '../../src/shim/tcp-frames.ts';
import { listenTcp, type TcpListenerOptions } from '../../src/shim/tcp-listener.ts';
import { answersOf, decoded, message, name, queryWire, rcodeIn, responseWire } from '../support/dns.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function listening(exchange: Exchange, options: Partial<TcpListenerOptions> = {}): Promise<Listener> {
  const listener = await listenTcp({ address: '127.0.0.1', port: 0, exchange, closeTimeoutMs: 500, ...options });
  closers.push(() => listener.close());
  return listener;
}

interface Client {
  readonly socket: Socket;
  /** Settles when the connection is gone. */
  readonly closed: Promise<unknown>;
  next(): Promise<Buffer>;
}

async function clientOf({ address, port }: Listener): Promise<Client> {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  closers.push(() => socket.destroy());
  await once(socket, 'connect');
  const reader = new FrameReader(0xffff);
  socket.on('data', (chunk) => reader.push(chunk));
  socket.on('end', () => socket.end());
  return {
    socket,
    closed,
    next: async () => {
      for (;;) {
        const frame = reader.next();
        if (frame.kind === 'message') return frame.wire;
        await once(socket, 'data');
      }
    },
  };
}

const echo: Exchange = async (wire) => responseWire(decoded(wire));

/** Until a count has not moved for a while. */
async function settled(count: () => number): Promise<void> {
  for (let before = -1; before !== count(); ) {
    before = count();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const framedQuery = (id: number, qname = 'a.test'): Buffer => framed(queryWire(qname, 'A', { id }));

const idsOf = async (client: Client, count: number): Promise<number[]> => {
  const ids: number[] = [];
  while (ids.length < count) ids.push((await client.next()).readUInt16BE(0));
  return ids;
};

/** An exchange that answers a query only when told to. */
function held(): { exchange: Exchange; started: number[]; release(id: number): void } {
  const started: number[] = [];
  const gates = new Map<number, PromiseWithResolvers<void>>();
  const gate = (id: number) => {
    const known = gates.get(id) ?? Promise.withResolvers<void>();
    gates.set(id, known);
    return known;
  };
  return {
    started,
    release: (id) => gate(id).resolve(),
    exchange: async (wire) => {
      const query = decoded(wire);
      started.push(query.id);
      await gate(query.id).promise;
      return responseWire(query);
    },
  };
}

describe('a TCP listener', () => {
  it('answers whole, however long the answer', async () => {
    const transports: string[] = [];
    const listener = await listening(async (wire, transport) => {
      transports.push(transport);
      const owner = name('a.test');
      const answers = Array.from({ length: 2000 }, () => ({ owner, ttl: 1, type: 'A' as const, address: '192.0.2.1' }));
      return responseWire(decoded(wire), { answers });
    });
    const client = await clientOf(listener);
    client.socket.write(framedQuery(1));
    const answer = await client.next();
    expect(answersOf(answer)).toHaveLength(2000);
    expect(message(answer).tc).toBe(false);
    expect(transports).toEqual(['tcp']);
  });

  it('takes queries in pieces of one octet, and many in one piece', async () => {
    const client = await clientOf(await listening(echo));
    client.socket.setNoDelay(true);
    for (const octet of framedQuery(1)) {
      client.socket.write(Buffer.of(octet));
      await new Promise(setImmediate);
    }
    expect(await idsOf(client, 1)).toEqual([1]);
    client.socket.write(Buffer.concat([2, 3, 4].map((id) => framedQuery(id))));
    expect(await idsOf(client, 3)).toEqual([2, 3, 4]);
  });

  it('answers pipelined queries as their answers come', async () => {
    const { exchange, release } = held();
    const client = await clientOf(await listening(exchange));
    client.socket.write(Buffer.concat([1, 2, 3].map((id) => framedQuery(id))));
    for (const id of [3, 1, 2]) {
      release(id);
      expect(await idsOf(client, 1)).toEqual([id]);
    }
  });

  it('reads no further while as many as may be are in flight', async () => {
    const { exchange, started, release } = held();
    const client = await clientOf(await listening(exchange, { maxInFlight: 2 }));
    client.socket.write(Buffer.concat([1, 2, 3, 4, 5].map((id) => framedQuery(id))));
    await expect.poll(() => started).toEqual([1, 2]);
    release(2);
    expect(await idsOf(client, 1)).toEqual([2]);
    await expect.poll(() => started).toEqual([1, 2, 3]);
    for (const id of [1, 3, 4, 5]) release(id);
    expect((await idsOf(client, 4)).sort()).toEqual([1, 3, 4, 5]);
  });

  it('stops a client that asks without reading', async () => {
    let asked = 0;
    const listener = await listening(async (wire) => {
      asked++;
      return Buffer.concat([wire, Buffer.alloc(60_000)]);
    });
    const { socket } = await clientOf(listener);
    socket.pause();
    const many = Buffer.concat(Array.from({ length: 5000 }, (_, id) => framedQuery(id)));
    socket.write(many);
    let before = -1;
    // Until as much is asked as fits the in-flight bound and the kernel's buffers, and then nothing any more.
    while (asked < 100 || before !== asked) {
      before = asked;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    expect(asked).toBeLessThan(1000);
  });

  /** Of 64,000 octets. */
  const long: Exchange = (wire) => Buffer.concat([wire.subarray(0, 2), Buffer.of(0x80), Buffer.alloc(63_997)]);

  it('answers no more of long answers than a client takes, however many it may have in flight', async () => {
    let answered = 0;
    const exchange: Exchange = (wire) => {
      answered++;
      return long(wire, 'tcp');
    };
    const client = await clientOf(await listening(exchange, { maxInFlight: 10_000 }));
    client.socket.pause();
    const count = 2_000;
    client.socket.write(Buffer.concat(Array.from({ length: count }, (_, id) => framedQuery(id))));
    await settled(() => answered);
    expect(answered).toBeLessThan(count / 4);
    client.socket.resume();
    expect(await idsOf(client, count)).toEqual(Array.from({ length: count }, (_, id) => id));
  });

  it('closes clients that let answers pile up, and no others', async () => {
    const gate = Promise.withResolvers<void>();
    const waiting: Exchange = async (wire) => {
      await gate.promise;
      return long(wire, 'tcp');
    };
    const listener = await listening((wire, transport) =>
      wire[1] === 1 ? long(wire, transport) : waiting(wire, transport),
    );
    const deaf = await Promise.all(Array.from({ length: 12 }, () => clientOf(listener)));
    for (const { socket } of deaf) {
      socket.pause();
      socket.write(Buffer.concat(Array.from({ length: 100 }, () => framedQuery(2))));
    }
    const other = await clientOf(listener);
    other.socket.write(framedQuery(1));
    await other.next();
    gate.resolve();
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const { socket } of deaf) socket.resume();
    await Promise.race(deaf.map(({ closed }) => closed));
    other.socket.write(framedQuery(1));
    expect((await other.next()).length).toBe(64_000);
  });

  it('answers a client that has closed its side', async () => {
    const { exchange, release, started } = held();
    const client = await clientOf(await listening(exchange));
    client.socket.end(Buffer.concat([framedQuery(1), framedQuery(2)]));
    await expect.poll(() => started).toEqual([1, 2]);
    release(2);
    release(1);
    expect(await idsOf(client, 2)).toEqual([2, 1]);
    await client.closed;
  });

  it('closes after a client that has closed its side within a query', async () => {
    const client = await clientOf(await listening(echo));
    client.socket.end(framedQuery(1).subarray(0, 9));
    await client.closed;
  });

  it.each([
    ['an empty message', '0000'],
    ['a message shorter than a header', '0005'],
    ['a message longer than any query', '1001'],
  ])('closes the connection over %s', async (_, length) => {
    const listener = await listening(echo);
    const client = await clientOf(listener);
    client.socket.write(Buffer.concat([Buffer.from(length, 'hex'), Buffer.alloc(20)]));
    await client.closed;
    const next = await clientOf(listener);
    next.socket.write(framedQuery(1));
    expect(await idsOf(next, 1)).toEqual([1]);
  });

  it('does not answer a response, and goes on', async () => {
    const client = await clientOf(await listening(echo));
    client.socket.write(framed(responseWire(decoded(queryWire('a.test', 'A', { id: 1 })))));
    client.socket.write(framedQuery(2));
    expect(await idsOf(client, 1)).toEqual([2]);
  });

  it('answers SERVFAIL when its exchange rejects, and nothing when it drops', async () => {
    const listener = await listening(async (wire) => {
      if (decoded(wire).id === 1) return undefined;
      throw new Error('no');
    });
    const client = await clientOf(listener);
    client.socket.write(Buffer.concat([framedQuery(1), framedQuery(2)]));
    const answer = await client.next();
    expect(rcodeIn(answer)).toBe('SERVFAIL');
    expect(answer.readUInt16BE(0)).toBe(2);
  });

  it('closes an idle connection, also one that dribbles', async () => {
    const listener = await listening(echo, { idleTimeoutMs: 100 });
    const silent = await clientOf(listener);
    const dribbling = await clientOf(listener);
    const octets = framedQuery(1);
    let at = 0;
    const timer = setInterval(() => dribbling.socket.write(octets.subarray(at, ++at)), 30);
    closers.push(() => clearInterval(timer));
    await Promise.all([silent.closed, dribbling.closed]);
    expect(at).toBeLessThan(octets.length);
  });

  it('does not call a connection idle whose answer is still being found', async () => {
    const { exchange, release } = held();
    const client = await clientOf(await listening(exchange, { idleTimeoutMs: 300 }));
    client.socket.write(framedQuery(1));
    await new Promise((resolve) => setTimeout(resolve, 800));
    release(1);
    expect(await idsOf(client, 1)).toEqual([1]);
    await client.closed;
  });

  it('closes the connection that has been idle for longest when there is one more than its bound', async () => {
    const listener = await listening(echo, { maxConnections: 2 });
    const [first, second] = [await clientOf(listener), await clientOf(listener)];
    for (const client of [second, first]) {
      client.socket.write(framedQuery(1));
      await client.next();
    }
    const third = await clientOf(listener);
    await second.closed;
    for (const client of [first, third]) {
      client.socket.write(framedQuery(9));
      expect((await client.next()).readUInt16BE(0)).toBe(9);
    }
  });

  it('closes a new connection when all it may have are waiting for answers', async () => {
    const { exchange, release, started } = held();
    const listener = await listening(exchange, { maxConnections: 1 });
    const first = await clientOf(listener);
    first.socket.write(framedQuery(1));
    await expect.poll(() => started).toEqual([1]);
    const second = await clientOf(listener);
    await second.closed;
    release(1);
    expect((await first.next()).readUInt16BE(0)).toBe(1);
  });

  it('goes on answering while ten thousand connections are opened and left idle', async () => {
    const listener = await listening(echo, { maxConnections: 200 });
    const sockets: Socket[] = [];
    closers.push(() => sockets.map((socket) => socket.destroy()));
    const open = async () => {
      const socket = connect(listener.port, listener.address).on('error', () => undefined);
      sockets.push(socket);
      await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => undefined);
    };
    for (let round = 0; round < 100; round++) {
      await Promise.all(Array.from({ length: 100 }, open));
      const client = await clientOf(listener);
      client.socket.write(framedQuery(round));
      expect((await client.next()).readUInt16BE(0)).toBe(round);
      client.socket.destroy();
      for (const socket of sockets.splice(0, sockets.length - 300)) socket.destroy();
    }
  });

  it('survives clients that reset while their answers are written', async () => {
    const { exchange, release, started } = held();
    const listener = await listening(exchange);
    const client = await clientOf(listener);
    client.socket.write(Buffer.concat([1, 2, 3].map((id) => framedQuery(id))));
    await expect.poll(() => started).toEqual([1, 2, 3]);
    client.socket.resetAndDestroy();
    await client.closed;
    for (const id of [1, 2, 3]) release(id);
    const next = await clientOf(listener);
    next.socket.write(framedQuery(1));
    expect(await idsOf(next, 1)).toEqual([1]);
  });

  it('answers what is in flight before it closes, and takes nothing new', async () => {
    const { exchange, release, started } = held();
    const listener = await listening(exchange, { closeTimeoutMs: 10_000 });
    const [busy, idle] = [await clientOf(listener), await clientOf(listener)];
    busy.socket.write(framedQuery(1));
    await expect.poll(() => started).toEqual([1]);
    const closed = listener.close();
    await idle.closed;
    busy.socket.write(framedQuery(2));
    release(1);
    expect(await idsOf(busy, 1)).toEqual([1]);
    await Promise.all([busy.closed, closed, listener.close()]);
    expect(started).toEqual([1]);
    await expect(once(connect(listener.port, listener.address), 'connect')).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  it('closes in the end, whatever its exchange and its clients do', async () => {
    const { exchange, started } = held();
    const listener = await listening(exchange, { closeTimeoutMs: 50 });
    const client = await clientOf(listener);
    client.socket.write(framedQuery(1));
    await expect.poll(() => started).toEqual([1]);
    await listener.close();
    await client.closed;
  });

  it('rejects with the error of the socket when the port is taken', async () => {
    const { port } = await listening(echo);
    await expect(listening(echo, { port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('hears IPv6', async () => {
    const client = await clientOf(await listening(echo, { address: '::1' }));
    client.socket.write(framedQuery(5));
    expect(await idsOf(client, 1)).toEqual([5]);
  });
});
