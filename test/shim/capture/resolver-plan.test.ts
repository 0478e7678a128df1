import { describe, expect, it } from 'vitest';
import {
  NETWORK_MANAGER_DROP_IN,
  planResolver,
  RESOLVED_DROP_IN,
  type ResolverFacts,
  type ResolverPlan,
} from '../../../src/shim/capture/resolver-plan.ts';

const PLAIN: ResolverFacts = {
  resolvConf: 'nameserver 192.0.2.1\nsearch corp.example\noptions rotate\n',
  resolved: false,
  nssResolve: false,
  networkManager: false,
};
const STUB: ResolverFacts = { ...PLAIN, resolvConf: 'nameserver 127.0.0.53\n', resolved: true };
const AT_53 = [{ address: '127.0.0.1', port: 53 }];
const AT_15053 = [{ address: '127.0.0.1', port: 15053 }];

const plan = (facts: ResolverFacts, listen = AT_53, capture: 'resolver' | 'nft' = 'resolver', zones: string[] = []) =>
  planResolver({ capture, listen }, facts, zones);

const filesOf = (planned: ResolverPlan): Record<string, string> =>
  planned.ok ? Object.fromEntries(planned.files.map(({ path, content }) => [path, content])) : {};

describe('planResolver', () => {
  it.each<[string, ResolverFacts, typeof AT_53, 'resolver' | 'nft', string[]]>([
    ['a plain file', PLAIN, AT_53, 'resolver', ['/etc/resolv.conf']],
    ['the stub of systemd-resolved', STUB, AT_15053, 'resolver', [RESOLVED_DROP_IN]],
    [
      'NetworkManager',
      { ...PLAIN, networkManager: true },
      AT_53,
      'resolver',
      [NETWORK_MANAGER_DROP_IN, '/etc/resolv.conf'],
    ],
    [
      'NetworkManager with systemd-resolved',
      { ...STUB, networkManager: true },
      AT_15053,
      'resolver',
      [RESOLVED_DROP_IN],
    ],
    [
      'systemd-resolved that only nss-resolve asks',
      { ...PLAIN, resolved: true, nssResolve: true },
      AT_53,
      'resolver',
      [RESOLVED_DROP_IN, '/etc/resolv.conf'],
    ],
    ['systemd-resolved that nobody asks', { ...PLAIN, resolved: true }, AT_53, 'resolver', ['/etc/resolv.conf']],
    ['nft', PLAIN, AT_15053, 'nft', []],
    [
      'nft, whose packets nss-resolve does not send',
      { ...STUB, nssResolve: true },
      AT_15053,
      'nft',
      [RESOLVED_DROP_IN],
    ],
  ])('for %s', (_, facts, listen, capture, paths) => {
    expect(Object.keys(filesOf(plan(facts, listen, capture)))).toEqual(paths);
  });

  it('names nobody but the shim in /etc/resolv.conf, and keeps the rest', () => {
    const text = filesOf(plan({ ...PLAIN, resolvConf: `${PLAIN.resolvConf}nameserver 192.0.2.2\n` }))[
      '/etc/resolv.conf'
    ];
    expect(text?.split('\n').filter((line) => !line.startsWith('#'))).toEqual([
      'nameserver 127.0.0.1',
      'search corp.example',
      'options rotate',
      '',
    ]);
  });

  it('names one server to systemd-resolved, for all names and for each zone of the mesh', () => {
    const planned = plan(STUB, [...AT_15053, { address: '::1', port: 15053 }], 'resolver', [
      'internal',
      'cluster.local',
      'internal',
    ]);
    expect(filesOf(planned)[RESOLVED_DROP_IN]).toBe(
      '[Resolve]\nDNS=\nDNS=127.0.0.1:15053\nDomains=~. ~cluster.local ~internal\n',
    );
  });

  it.each([
    { address: '::1', port: 15053, server: '[::1]:15053' },
    { address: '::1', port: 53, server: '::1' },
    { address: '127.0.53.1', port: 53, server: '127.0.53.1' },
  ])('writes $address port $port as $server', ({ server, ...at }) => {
    expect(filesOf(plan(STUB, [at]))[RESOLVED_DROP_IN]).toContain(`DNS=${server}\n`);
  });

  it.each([
    ['a file that has no ports', AT_15053, /port 53/],
    ['no loopback address', [{ address: '192.0.2.9', port: 53 }], /loopback/],
  ])('refuses %s', (_, listen, reason) => {
    const planned = plan(PLAIN, listen);
    expect(planned.ok ? '' : planned.reason).toMatch(reason);
  });
});
