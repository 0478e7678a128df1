import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { Rcode, RRType } from '../../src/dns/constants.ts';
import type { Exchange } from '../../src/shim/listener.ts';
import { listenUdp, UdpAddressError, type UdpListener, type UdpListenerOptions } from '../../src/shim/udp-listener.ts';
import { answersOf, decoded, edeCodesOf, message, name, queryWire, rcodeIn, responseWire } from '../support/dns.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function listening(exchange: Exchange, options: Partial<UdpListenerOptions> = {}): Promise<UdpListener> {
  const listener = await listenUdp({ address: '127.0.0.1', port: 0, exchange, ...options });
  closers.push(() => listener.close());
  return listener;
}

interface Client {
  send(wire: Uint8Array): void;
  /** The datagrams that have come so far, from the first on. */
  readonly received: Buffer[];
  next(): Promise<Buffer>;
}

async function clientOf({ address, port }: UdpListener): Promise<Client> {
  const socket: Socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  closers.push(() => socket.close());
  socket.connect(port, address);
  await once(socket, 'connect');
  const received: Buffer[] = [];
  let taken = 0;
  socket.on('message', (wire) => received.push(wire));
  return {
    received,
    send: (wire) => socket.send(wire),
    next: async () => {
      while (received.length <= taken) await once(socket, 'message');
      return received[taken++] ?? Buffer.alloc(0);
    },
  };
}

async function ask(listener: UdpListener, wire: Uint8Array): Promise<Buffer> {
  const client = await clientOf(listener);
  client.send(wire);
  return client.next();
}

/** Answers with so many A records, of 16 octets each. */
const addresses =
  (count: number): Exchange =>
  async (wire) => {
    const query = decoded(wire);
    const owner = query.question?.qname ?? name('.');
    const answers = Array.from({ length: count }, (_, n) => ({
      owner,
      ttl: 30,
      type: 'A' as const,
      address: `192.0.2.${n}`,
    }));
    return responseWire(query, { answers });
  };

describe('a UDP listener', () => {
  it('answers with the octets of the exchange', async () => {
    const listener = await listening(addresses(1));
    expect(listener.port).toBeGreaterThan(0);
    const answer = await ask(listener, queryWire('auto.internal', 'A', { id: 4711 }));
    expect(answer.readUInt16BE(0)).toBe(4711);
    expect(answersOf(answer)).toEqual(['auto.internal 30 A 192.0.2.0']);
  });

  it('hears IPv6', async () => {
    const listener = await listening(addresses(1), { address: '::1' });
    expect(answersOf(await ask(listener, queryWire('auto.internal')))).toHaveLength(1);
  });

  it('tells its exchange the transport', async () => {
    const transports: string[] = [];
    const listener = await listening(async (wire, transport) => {
      transports.push(transport);
      return responseWire(decoded(wire));
    });
    await ask(listener, queryWire('a.test'));
    expect(transports).toEqual(['udp']);
  });

  it.each([
    ['no OPT', undefined, 512],
    ['an OPT of 0', 0, 512],
    ['an OPT of 511', 511, 512],
    ['an OPT of 800', 800, 800],
    ['an OPT of 1232', 1232, 1232],
    ['an OPT of 65535', 65_535, 1232],
  ])('truncates to what the client takes: %s', async (_, udpSize, most) => {
    const listener = await listening(addresses(100));
    const options = udpSize === undefined ? {} : { edns: { udpSize } };
    const answer = await ask(listener, queryWire('auto.internal', 'A', options));
    expect(answer.length).toBeLessThanOrEqual(most);
    expect(answer.length).toBeGreaterThan(most - 16);
    const { tc, answers, edns } = message(answer);
    expect(tc).toBe(true);
    expect(answers.length).toBeGreaterThan(20);
    expect(edns !== undefined).toBe(udpSize !== undefined);
  });

  it('leaves alone what fits', async () => {
    const listener = await listening(addresses(30));
    const whole = message(await ask(listener, queryWire('auto.internal', 'A', { edns: { udpSize: 1232 } })));
    expect(whole.tc).toBe(false);
    expect(whole.answers).toHaveLength(30);
  });

  it('never answers what is no query', async () => {
    const seen: string[] = [];
    const listener = await listening(async (wire) => {
      seen.push(decoded(wire).question?.qname ?? '');
      return responseWire(decoded(wire));
    });
    const client = await clientOf(listener);
    client.send(responseWire(decoded(queryWire('response.test'))));
    client.send(Buffer.alloc(0));
    client.send(queryWire('short.test').subarray(0, 11));
    client.send(queryWire('query.test'));
    await client.next();
    expect(seen).toEqual(['query.test']);
    expect(client.received).toHaveLength(1);
  });

  it('drops what its exchange drops', async () => {
    const listener = await listening(async (wire) =>
      decoded(wire).question?.qname === 'drop.test' ? undefined : responseWire(decoded(wire)),
    );
    const client = await clientOf(listener);
    client.send(queryWire('drop.test', 'A', { id: 1 }));
    client.send(queryWire('keep.test', 'A', { id: 2 }));
    expect((await client.next()).readUInt16BE(0)).toBe(2);
    expect(client.received).toHaveLength(1);
  });

  it.each<[string, Exchange]>([
    ['rejects', async () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['answers more than a message holds', async () => Buffer.alloc(65_536)],
  ])('answers SERVFAIL when its exchange %s', async (_, exchange) => {
    const listener = await listening(exchange);
    const answer = await ask(
      listener,
      queryWire('Auto.Internal', 'A', { id: 7, keepCase: true, edns: { udpSize: 1232 } }),
    );
    expect(rcodeIn(answer)).toBe('SERVFAIL');
    expect(answer.readUInt16BE(0)).toBe(7);
    expect(answer.includes('Internal')).toBe(true);
    expect(edeCodesOf(answer)).toEqual([]);
  });

  it('answers an undecodable query with its header alone when the exchange rejects', async () => {
    const listener = await listening(async () => Promise.reject(new Error('no')));
    const answer = await ask(listener, Buffer.from('123401000001000000000000ff', 'hex'));
    expect(answer.toString('hex')).toBe('123481810000000000000000'.replace('8181', `818${Rcode.formErr}`));
  });

  it('drops and counts queries beyond the most it answers at once', async () => {
    const gate = Promise.withResolvers<void>();
    const started: number[] = [];
    const listener = await listening(
      async (wire) => {
        started.push(decoded(wire).id);
        if (started.length < 3) await gate.promise;
        return responseWire(decoded(wire));
      },
      { maxInFlight: 2 },
    );
    const client = await clientOf(listener);
    for (const id of [1, 2, 3, 4, 5]) client.send(queryWire('a.test', 'A', { id }));
    await expect.poll(() => listener.dropped).toBe(3);
    expect(started).toEqual([1, 2]);
    gate.resolve();
    await client.next();
    await client.next();
    client.send(queryWire('a.test', 'A', { id: 6 }));
    expect((await client.next()).readUInt16BE(0)).toBe(6);
    expect(listener.dropped).toBe(3);
  });

  it.each(['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0', '', 'localhost', '0'])(
    'refuses to listen on "%s", naming it',
    async (address) => {
      const refusal = await listenUdp({ address, port: 0, exchange: addresses(1) }).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(UdpAddressError);
      expect(refusal).toMatchObject({ address, message: expect.stringContaining(`"${address}"`) });
    },
  );

  it('rejects with the error of the socket when the port is taken', async () => {
    const { port } = await listening(addresses(1));
    await expect(listenUdp({ address: '127.0.0.1', port, exchange: addresses(1) })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });

  it('answers what is in flight before it closes, and nothing new', async () => {
    const gate = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const seen: number[] = [];
    const listener = await listening(async (wire) => {
      seen.push(decoded(wire).id);
      arrived.resolve();
      await gate.promise;
      return responseWire(decoded(wire));
    });
    const client = await clientOf(listener);
    client.send(queryWire('a.test', 'A', { id: 1 }));
    await arrived.promise;
    const closed = listener.close();
    client.send(queryWire('a.test', 'A', { id: 2 }));
    gate.resolve();
    expect((await client.next()).readUInt16BE(0)).toBe(1);
    await closed;
    await listener.close();
    expect(seen).toEqual([1]);
  });

  it('closes in the end, whatever its exchange does, and outlives a late answer', async () => {
    const gate = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const listener = await listening(
      async (wire) => {
        arrived.resolve();
        await gate.promise;
        return responseWire(decoded(wire));
      },
      { closeTimeoutMs: 50 },
    );
    const client = await clientOf(listener);
    client.send(queryWire('a.test', RRType.A));
    await arrived.promise;
    await listener.close();
    gate.resolve();
    await new Promise(setImmediate);
    expect(client.received).toEqual([]);
  });
});
