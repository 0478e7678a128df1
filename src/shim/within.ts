/** What `promise` resolves to, or undefined once `timeoutMs` are over. Rejects as it does. */
export function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, timeoutMs, undefined);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** Whether `done` resolved within `timeoutMs`. Rejects as it does. */
export const settlesWithin = async (done: Promise<unknown>, timeoutMs: number): Promise<boolean> =>
  (await within(
    timeoutMs,
    done.then(() => true),
  )) ?? false;
