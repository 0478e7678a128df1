import { describe, expect, it } from 'vitest';
import { type HostsOf, moveOrder } from '../../src/cli/moves.ts';

const entry = (name: string, ...hosts: string[]): HostsOf => ({ key: `ns/${name}`, namespace: 'ns', hosts });

describe('moveOrder', () => {
  it('keeps the order where nothing moves', () => {
    const entries = [entry('a', 'x'), entry('b', 'y'), entry('c', 'z')];
    expect(moveOrder(entries, [entry('a', 'x', 'gone'), entry('b')])).toEqual({ order: [0, 1, 2], lost: new Map() });
  });

  it('puts the entry that gains a host before the one that loses it', () => {
    const { order, lost } = moveOrder(
      [entry('a', 'x'), entry('b', 'y', 'moved')],
      [entry('a', 'x', 'moved'), entry('b', 'y')],
    );
    expect(order).toEqual([1, 0]);
    expect(lost).toEqual(new Map([[0, ['moved']]]));
  });

  it('follows a chain', () => {
    const before = [entry('a', 'x'), entry('b', 'y')];
    expect(moveOrder([entry('a', 'q'), entry('b', 'x'), entry('c', 'y')], before).order).toEqual([2, 1, 0]);
  });

  it('ends where two entries swap', () => {
    const before = [entry('a', 'x'), entry('b', 'y')];
    expect(moveOrder([entry('a', 'y'), entry('b', 'x')], before).order).toHaveLength(2);
  });

  it('does not take a host of another namespace for a moved one', () => {
    const other = { key: 'other/b', namespace: 'other', hosts: ['moved'] };
    expect(moveOrder([entry('a', 'x'), other], [entry('a', 'x', 'moved')]).order).toEqual([0, 1]);
  });
});
