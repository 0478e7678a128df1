import { describe, expect, it } from 'vitest';
import {
  parseResolvectl,
  parseRoutes,
  parseSynchronised,
  resolvedFacts,
} from '../../../src/shim/doctor/parse-facts.ts';

describe('parseResolvectl', () => {
  it('reads a line for each scope, and lines that go on', () => {
    const text =
      'Global: 127.0.0.1:15053\nLink 2 (eth0): 192.0.2.1 192.0.2.2\n               2001:db8::1\nLink 3 (tun0):\n';
    expect(parseResolvectl(text)).toEqual([
      { scope: 'Global', values: ['127.0.0.1:15053'] },
      { scope: 'eth0', values: ['192.0.2.1', '192.0.2.2', '2001:db8::1'] },
      { scope: 'tun0', values: [] },
    ]);
  });
});

describe('resolvedFacts', () => {
  it('are the global servers and setting, and the domains of each link', () => {
    const texts = {
      domain: 'Global: ~.\nLink 2 (eth0): ec2.internal',
      dns: 'Global: 127.0.0.1',
      dnssec: 'Global: no\nLink 2 (eth0): no',
    };
    expect(resolvedFacts(texts, true)).toEqual({
      dnssec: 'no',
      globalServers: ['127.0.0.1'],
      links: [{ name: 'eth0', domains: ['ec2.internal'] }],
      hasDropIn: true,
    });
  });
});

describe('parseRoutes', () => {
  it('leaves the default route and loopback out, and gives hosts their length', () => {
    const json =
      '[{"dst":"default","dev":"eth0"},{"dst":"240.240.0.0/16","dev":"lo"},{"dst":"10.0.0.7","dev":"eth0"},{"type":"x"}]';
    expect(parseRoutes(json, 32)).toEqual([{ destination: '10.0.0.7/32', device: 'eth0' }]);
    expect(parseRoutes('', 128)).toEqual([]);
  });
});

describe('parseSynchronised', () => {
  it.each([
    ['Timezone=UTC\nNTPSynchronized=yes\n', true],
    ['NTPSynchronized=no', false],
    ['', undefined],
  ])('%j', (text, synchronised) => {
    expect(parseSynchronised(text)).toBe(synchronised);
  });
});
