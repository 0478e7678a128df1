/** Results in the order of the items, with at most `limit` of them worked on at once. The first rejection ends it. */
export async function* inOrder<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void> {
  const results: Promise<R>[] = [];
  for (const [at, item] of items.entries()) {
    const due = results[at - limit];
    if (due) yield await due;
    const result = work(item);
    // It may fail while an earlier one is awaited: that is heard of in its turn.
    result.catch(() => undefined);
    results.push(result);
  }
  for (const result of results.slice(-limit)) yield await result;
}

/** The same work, but items that have a key in common are worked on one after another, in the order they come in. */
export function oneByOne<T, R>(
  keysOf: (item: T) => readonly string[],
  work: (item: T) => Promise<R>,
): (item: T) => Promise<R> {
  const latest = new Map<string, Promise<R>>();
  return (item) => {
    const keys = keysOf(item);
    const result = Promise.allSettled(keys.map((key) => latest.get(key))).then(() => work(item));
    for (const key of keys) latest.set(key, result);
    return result;
  };
}
