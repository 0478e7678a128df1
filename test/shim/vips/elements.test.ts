import { describe, expect, it } from 'vitest';
import {
  addCommands,
  changeCommands,
  changesBetween,
  elementsOf,
  endedUdpFlows,
} from '../../../src/shim/vips/elements.ts';
import type { VipListener } from '../../../src/shim/vips/listeners.ts';

const listener: VipListener = {
  host: 'a.example',
  ipv4: '240.240.0.1',
  ipv6: '2001:2::1',
  transport: 'tcp',
  port: 9000,
  targets: [],
};
const at = (address: string, weight = 1, port = 9000) => ({ address, port, weight });

describe('the elements of a listener', () => {
  it('are one translation and one counter for one target', () => {
    expect(elementsOf(listener, { ipv4: [at('10.0.0.1')], ipv6: [] })).toEqual([
      { variable: 'listeners4', key: '240.240.0.1 . tcp . 9000' },
      { variable: 'one4', key: '240.240.0.1 . tcp . 9000', value: '10.0.0.1 . 9000' },
    ]);
  });

  it('are a translation for each slot for several targets', () => {
    const elements = elementsOf(listener, { ipv4: [], ipv6: [at('2001:db8::1', 1), at('2001:db8::2', 3)] });
    const slots = elements.filter(({ variable }) => variable === 'many6');
    expect(slots.map(({ key }) => key)).toEqual(
      Array.from({ length: 16 }, (_, slot) => `2001:2::1 . tcp . 9000 . ${slot}`),
    );
    expect(slots.filter(({ value }) => value === '2001:db8::1 . 9000')).toHaveLength(4);
  });

  it('are none without a target: the connection is refused', () => {
    expect(elementsOf(listener, { ipv4: [], ipv6: [] })).toEqual([]);
  });
});

describe('a change of elements', () => {
  const before = elementsOf(listener, { ipv4: [at('10.0.0.1')], ipv6: [] });

  it('leaves what stays, its counter with it', () => {
    const after = elementsOf(listener, { ipv4: [at('10.0.0.2')], ipv6: [] });
    expect(changeCommands('inet mesh_vip', changesBetween(before, after))).toEqual([
      'delete element inet mesh_vip one4 { 240.240.0.1 . tcp . 9000 }',
      'add element inet mesh_vip one4 { 240.240.0.1 . tcp . 9000 : 10.0.0.2 . 9000 }',
    ]);
  });

  it('removes before it adds, also from one map to another', () => {
    const after = elementsOf(listener, { ipv4: [at('10.0.0.1'), at('10.0.0.2')], ipv6: [] });
    const commands = changeCommands('inet mesh_vip', changesBetween(before, after));
    expect(commands[0]).toBe('delete element inet mesh_vip one4 { 240.240.0.1 . tcp . 9000 }');
    expect(commands[1]).toMatch(/^add element inet mesh_vip many4 \{ 240\.240\.0\.1 \. tcp \. 9000 \. 0 : /);
    expect(commands).toHaveLength(2);
  });

  it('is nothing where nothing changes', () => {
    expect(changeCommands('inet mesh_vip', changesBetween(before, [...before]))).toEqual([]);
  });

  it('is cut into commands of 5,000 members', () => {
    const many = Array.from({ length: 12_000 }, (_, index) => ({ variable: 'listeners4' as const, key: `k${index}` }));
    expect(addCommands('inet mesh_vip', many)).toHaveLength(3);
  });
});

describe('flows that have to be forgotten', () => {
  const udp = { ...listener, transport: 'udp' as const };

  it('are those of UDP to a target that is none any more', () => {
    const before = elementsOf(udp, { ipv4: [at('10.0.0.1'), at('10.0.0.2')], ipv6: [] });
    const after = elementsOf(udp, { ipv4: [at('10.0.0.2')], ipv6: [] });
    expect(endedUdpFlows(before, after)).toEqual([{ vip: '240.240.0.1', port: '9000', target: '10.0.0.1' }]);
  });

  it('are none of TCP: established connections are left alone', () => {
    const before = elementsOf(listener, { ipv4: [at('10.0.0.1')], ipv6: [] });
    expect(endedUdpFlows(before, [])).toEqual([]);
  });
});
