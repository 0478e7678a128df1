import { describe, expect, it } from 'vitest';
import { allowedAddress, resolvedTargets } from '../../../src/shim/vips/targets.ts';

const POOLS = [{ ipv4: '240.240.0.0/16', ipv6: '2001:2::/48' }];

describe('where a VIP may lead', () => {
  it.each([
    ['10.0.0.1', true],
    ['198.51.100.7', true],
    ['2001:db8::7', true],
    ['fd00::1', true],
    ['127.0.0.1', false],
    ['127.9.9.9', false],
    ['::1', false],
    ['::ffff:127.0.0.1', false],
    ['169.254.169.254', false],
    ['fe80::1', false],
    ['224.0.0.1', false],
    ['ff02::1', false],
    ['0.0.0.0', false],
    ['::', false],
    ['255.255.255.255', false],
    ['240.240.3.4', false],
    ['::ffff:240.240.3.4', false],
    ['2001:2::5', false],
    ['not-an-address', false],
  ])('%s: %s', (address, allowed) => {
    expect(allowedAddress(address, POOLS)).toBe(allowed);
  });
});

describe('the targets of a listener', () => {
  const resolve = (name: string) =>
    ({
      'three.example': ['10.0.0.2', '10.0.0.4', '2001:db8::2'],
      'loop.example': ['127.0.0.1', '240.240.0.1', '10.0.0.3'],
    })[name] ?? [];

  it('are addresses by family, in their canonical form', () => {
    const targets = [
      { address: '10.0.0.1', port: 80, weight: 1 },
      { address: '2001:DB8:0:0::1', port: 81, weight: 2 },
    ];
    expect(resolvedTargets(targets, resolve, POOLS)).toEqual({
      ipv4: [{ address: '10.0.0.1', port: 80, weight: 1 }],
      ipv6: [{ address: '2001:db8::1', port: 81, weight: 2 }],
    });
  });

  it('share the weight of a name among its addresses of a family', () => {
    const targets = [
      { address: 'three.example', port: 80, weight: 4 },
      { address: '10.0.0.1', port: 80, weight: 4 },
    ];
    expect(resolvedTargets(targets, resolve, POOLS)).toEqual({
      ipv4: [
        { address: '10.0.0.2', port: 80, weight: 2 },
        { address: '10.0.0.4', port: 80, weight: 2 },
        { address: '10.0.0.1', port: 80, weight: 4 },
      ],
      ipv6: [{ address: '2001:db8::2', port: 80, weight: 4 }],
    });
  });

  it('leave out what a name must not resolve to, and names that have not resolved', () => {
    const targets = [
      { address: 'loop.example', port: 80, weight: 1 },
      { address: 'unknown.example', port: 80, weight: 1 },
    ];
    expect(resolvedTargets(targets, resolve, POOLS)).toEqual({
      ipv4: [{ address: '10.0.0.3', port: 80, weight: 1 }],
      ipv6: [],
    });
  });

  it('add up where two endpoints are the same', () => {
    const same = { address: '10.0.0.1', port: 80, weight: 1 };
    expect(resolvedTargets([same, same], resolve, POOLS).ipv4).toEqual([{ ...same, weight: 2 }]);
  });
});
