import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Attempt, untilGivenUp } from '../../src/forward/attempt.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function carried(timeoutMs: number): { attempt: Attempt; onGivenUp: () => void } {
  const attempt = new Attempt(timeoutMs);
  const onGivenUp = vi.fn();
  attempt.carrier = { onGivenUp };
  return { attempt, onGivenUp };
}

describe('an attempt', () => {
  it('is given up when its time is over, and says so', () => {
    const { attempt, onGivenUp } = carried(100);
    vi.advanceTimersByTime(99);
    expect(attempt.isGivenUp).toBe(false);
    vi.advanceTimersByTime(1);
    expect(attempt).toMatchObject({ isGivenUp: true, isOverdue: true, reason: 'no answer within 100 ms' });
    expect(onGivenUp).toHaveBeenCalledOnce();
  });

  it('is given up when nobody waits for it, once, and then never overdue', () => {
    const { attempt, onGivenUp } = carried(100);
    attempt.giveUp();
    attempt.giveUp();
    vi.advanceTimersByTime(200);
    expect(attempt).toMatchObject({ isGivenUp: true, isOverdue: false, reason: 'given up' });
    expect(onGivenUp).toHaveBeenCalledOnce();
  });

  it('leaves no timer behind when its exchange has ended', () => {
    const { attempt, onGivenUp } = carried(100);
    attempt.end();
    expect(vi.getTimerCount()).toBe(0);
    expect(onGivenUp).not.toHaveBeenCalled();
  });
});

describe('waiting under an attempt', () => {
  it('ends with what was waited for, and lets go of the attempt', async () => {
    const attempt = new Attempt(100);
    expect(await untilGivenUp(Promise.resolve({ known: 1 }), attempt)).toEqual({ known: 1 });
    expect(attempt.carrier).toBeUndefined();
  });

  it('ends with nothing as soon as the attempt is given up, also before it began', async () => {
    const attempt = new Attempt(100);
    const waiting = untilGivenUp(new Promise<object>(() => undefined), attempt);
    attempt.giveUp();
    expect(await waiting).toBeUndefined();
    expect(await untilGivenUp(Promise.resolve({}), attempt)).toBeUndefined();
  });
});
