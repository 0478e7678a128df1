/** For what ends by itself: waiting under it takes no listener. */
export const NEVER: AbortSignal = new AbortController().signal;

/**
 * What `promise` resolves to, or undefined as soon as `signal` aborts; no listener is left behind. The promise must not
 * reject.
 */
export function untilAborted<T extends object>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal === NEVER) return promise;
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const onAbort = () => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    void promise.then((value) => {
      signal.removeEventListener('abort', onAbort);
      resolve(value);
    });
  });
}
