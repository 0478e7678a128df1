import { describe, expect, it } from 'vitest';
import { vipCounterReader, vipCounters } from '../../../src/shim/vips/listener-counters.ts';

const kernel = {
  refused: 7,
  listeners: new Map([['240.240.0.1 tcp 9000', { packets: 10, octets: 548, targets: new Map([['10.0.0.1:80', 1]]) }]]),
};

describe('the counters of VIPs', () => {
  it('have address, protocol and port, and no name of a host', () => {
    const labels = { address: '240.240.0.1', protocol: 'TCP', port: '9000' };
    expect(vipCounters(kernel).map(({ name, values }) => [name, values])).toEqual([
      ['meshdoh_shim_vip_packets_total', [[labels, 10]]],
      ['meshdoh_shim_vip_bytes_total', [[labels, 548]]],
      ['meshdoh_shim_vip_refused_packets_total', [[{}, 7]]],
    ]);
  });

  it('are read once in ten seconds, and are none where they cannot be read', async () => {
    let [clock, reads] = [0, 0];
    const read = async () => {
      if (++reads === 2) throw new Error('no nft');
      return kernel;
    };
    const counters = vipCounterReader(() => clock, read);
    expect(await counters()).toHaveLength(3);
    clock = 9_000;
    expect(await counters()).toHaveLength(3);
    expect(reads).toBe(1);
    clock = 10_000;
    expect(await counters()).toEqual([]);
  });
});
