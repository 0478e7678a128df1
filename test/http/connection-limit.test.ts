import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { limitPerAddress } from '../../src/http/connection-limit.ts';

/** As much of a socket as is looked at: tests reach this machine from its loopback addresses only. */
class Connection extends EventEmitter {
  readonly remoteAddress: string | undefined;
  destroyed = false;

  constructor(remoteAddress: string | undefined) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function serverWithLimit(most: number): (address: string | undefined) => Connection {
  const server = new EventEmitter();
  limitPerAddress(server as never, most);
  return (address) => {
    const connection = new Connection(address);
    server.emit('connection', connection);
    return connection;
  };
}

describe('connections of one address', () => {
  it('are closed beyond the limit, while others are let in', () => {
    const connect = serverWithLimit(2);
    const addresses = ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2', '2001:db8::1'];
    expect(addresses.map((address) => connect(address).destroyed)).toEqual([false, false, true, false, false]);
  });

  it('make room when they end, whether by themselves or not; one that was refused makes none', () => {
    const connect = serverWithLimit(2);
    const [first] = [connect('192.0.2.1'), connect('192.0.2.1')];
    expect(connect('192.0.2.1').destroyed).toBe(true);
    expect(connect('192.0.2.1').destroyed).toBe(true);
    first.emit('close');
    expect([connect('192.0.2.1').destroyed, connect('192.0.2.1').destroyed]).toEqual([false, true]);
  });

  it.each(['127.0.0.1', '::1', '::ffff:127.0.0.1', undefined])('are not counted from %s', (address) => {
    const connect = serverWithLimit(1);
    expect([connect(address).destroyed, connect(address).destroyed]).toEqual([false, false]);
  });
});
