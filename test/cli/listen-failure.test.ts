import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { CommandFailure } from '../../src/cli/failure.ts';
import { openAt } from '../../src/cli/listen-failure.ts';
import { listenTcp } from '../../src/shim/tcp-listener.ts';

const exchange = async () => undefined;

describe('openAt', () => {
  it('opens at the address', async () => {
    const listener = await openAt('--dns', { host: '127.0.0.1', port: 0 }, (at) => listenTcp({ ...at, exchange }));
    expect(listener.address).toBe('127.0.0.1');
    await listener.close();
  });

  it('names the address, the reason and the option when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const opened = openAt('--dns', { host: '127.0.0.1', port }, (at) => listenTcp({ ...at, exchange }));
    await expect(opened).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}: something else listens there: choose another address with --dns`,
    );
    await expect(opened).rejects.toThrow(CommandFailure);
    other.close();
  });

  it('passes on what it cannot explain', async () => {
    const fault = new Error('a fault');
    await expect(openAt('--dns', { host: '::1', port: 1 }, () => Promise.reject(fault))).rejects.toBe(fault);
  });
});
