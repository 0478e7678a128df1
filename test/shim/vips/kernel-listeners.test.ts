import { describe, expect, it } from 'vitest';
import { kernelTargets, kernelVips } from '../../../src/shim/vips/kernel-listeners.ts';

const counted = (vip: string, packets: number, bytes: number) => ({
  elem: { val: { concat: [vip, 'tcp', 9000] }, counter: { packets, bytes } },
});
const json = (...nftables: object[]) => JSON.stringify({ nftables: [{ metainfo: {} }, ...nftables] });

describe('what the kernel says of VIPs', () => {
  it('is counters, targets and their shares', () => {
    const many = Array.from({ length: 16 }, (_, slot) => [
      { concat: ['2001:2::1', 'tcp', 9000, slot] },
      { concat: [slot < 4 ? 'fd00::1' : 'fd00::2', 53] },
    ]);
    const { listeners, refused } = kernelVips(
      json(
        { counter: { name: 'refused', packets: 7, bytes: 420 } },
        { set: { name: 'listeners4', elem: [counted('240.240.0.1', 10, 548)] } },
        { set: { name: 'listeners6', elem: [counted('2001:2::1', 1, 60)] } },
        { map: { name: 'one4', elem: [[{ concat: ['240.240.0.1', 'tcp', 9000] }, { concat: ['10.0.0.1', 80] }]] } },
        { map: { name: 'many6', elem: many } },
      ),
    );
    expect(refused).toBe(7);
    expect(listeners.get('240.240.0.1 tcp 9000')).toEqual({
      packets: 10,
      octets: 548,
      targets: new Map([['10.0.0.1:80', 1]]),
    });
    expect(listeners.get('2001:2::1 tcp 9000')?.targets).toEqual(
      new Map([
        ['[fd00::1]:53', 4],
        ['[fd00::2]:53', 12],
      ]),
    );
  });

  it('is where connections go', () => {
    const target = [{ concat: ['240.240.0.1', 'udp', 53, 3] }, { concat: ['10.0.0.1', 5353] }];
    expect(kernelTargets(json({ set: { name: 'listeners4' } }, { map: { name: 'many4', elem: [target] } }))).toEqual([
      { variable: 'many4', key: '240.240.0.1 . udp . 53 . 3', value: '10.0.0.1 . 5353' },
    ]);
  });

  it('is nothing of an empty table', () => {
    expect(kernelVips(json({ set: { name: 'listeners4' } }, { map: { name: 'one4' } }))).toEqual({
      listeners: new Map(),
      refused: 0,
    });
  });
});
