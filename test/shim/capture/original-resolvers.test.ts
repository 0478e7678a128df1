import { describe, expect, it } from 'vitest';
import { originalResolvers } from '../../../src/shim/capture/original-resolvers.ts';

const servers = (resolvConf: string, listen: { address: string; port: number }[], uplinks?: string) =>
  originalResolvers(resolvConf, uplinks, listen).servers;

describe('the resolvers that a host has without us', () => {
  it.each([
    ['where we listen on port 53', [{ address: '127.0.0.1', port: 53 }], ['192.0.2.53']],
    ['on another port of the same address', [{ address: '127.0.0.1', port: 15053 }], ['127.0.0.1', '192.0.2.53']],
    ['on port 53 of another address', [{ address: '127.0.53.1', port: 53 }], ['127.0.0.1', '192.0.2.53']],
  ])('leave out the address %s, and no other', (_, listen, expected) => {
    expect(servers('nameserver 127.0.0.1\nnameserver 192.0.2.53\n', listen)).toEqual(expected);
  });

  it('are those behind the stub of systemd-resolved', () => {
    const uplinks = 'nameserver 192.0.2.1\nnameserver 192.0.2.2\n';
    expect(servers('nameserver 127.0.0.53\n', [{ address: '127.0.0.1', port: 15053 }], uplinks)).toEqual([
      '192.0.2.1',
      '192.0.2.2',
    ]);
  });
});
