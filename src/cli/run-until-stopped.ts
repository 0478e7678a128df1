/** Settles at the first SIGINT or SIGTERM; a second one ends the process at once. */
export async function untilStopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = (signal: NodeJS.Signals) => {
    process.once(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));
    resolve();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  await promise;
}
