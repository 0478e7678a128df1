/** What `promise` resolves to, or false as soon as the signal aborts; no listener is left behind. */
export function isTrueBefore(signal: AbortSignal, promise: Promise<boolean>): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  const { promise: aborted, resolve } = Promise.withResolvers<boolean>();
  const onAbort = () => resolve(false);
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}
