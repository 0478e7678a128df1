/**
 * Exclusive locks by key. A caller queues for all its keys in one synchronous step, so every queue has
 * the same order of callers and no two can wait for each other.
 */
export class ItemLocks {
  /** Per key, settled when the last caller in its queue is done. */
  readonly #tails = new Map<string, Promise<void>>();

  async hold<T>(keys: Iterable<string>, work: () => Promise<T>): Promise<T> {
    const done = Promise.withResolvers<void>();
    const mine = [...new Set(keys)];
    const ahead = mine.map((key) => this.#tails.get(key));
    for (const key of mine) this.#tails.set(key, done.promise);
    await Promise.all(ahead);
    try {
      return await work();
    } finally {
      for (const key of mine) if (this.#tails.get(key) === done.promise) this.#tails.delete(key);
      done.resolve();
    }
  }
}
