import { describe, expect, it } from 'vitest';
import { dnsServerUids, exemptUids, UnknownUserError } from '../../../src/shim/capture/exempt-users.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/bash
dnsmasq:x:112:65534::/var/lib/misc:/usr/sbin/nologin
alice:x:1000:1000::/home/alice:/bin/sh
broken
`;
const PROC_NET_UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  256: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   998        0 1234 2 0 0
  257: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     5        0 1235 2 0 0
  258: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1236 2 0 0
`;

describe('exemptUids', () => {
  it('are resolvers known by name, those who serve port 53, and those of the settings by name or id', () => {
    expect(exemptUids(['alice', '4711'], PASSWD, [998])).toEqual([112, 998, 1000, 4711]);
  });

  it('have root among them only when the settings say so', () => {
    expect(exemptUids([], PASSWD, [0, 998])).toEqual([112, 998]);
    expect(exemptUids(['root'], PASSWD, [])).toEqual([0, 112]);
  });

  it('cannot be users that do not exist', () => {
    expect(() => exemptUids(['bob'], PASSWD, [])).toThrow(UnknownUserError);
  });
});

describe('dnsServerUids', () => {
  it('are the owners of sockets on port 53', () => {
    expect(dnsServerUids(PROC_NET_UDP)).toEqual([998, 0]);
    expect(dnsServerUids('')).toEqual([]);
  });
});
