/** A process that runs with `--inspect`. */
export interface Inspector {
  /** Octets that V8 holds for the program, buffers included, after all is thrown away that nothing holds any more. */
  liveOctets(): Promise<number>;
  close(): void;
}

interface HeapUsage {
  readonly usedSize: number;
  /** Of array buffers. */
  readonly backingStorageSize?: number;
}

const READINGS = 4;

/** `url` is the one that Node prints, `ws://…`. */
export async function openInspector(url: string): Promise<Inspector> {
  const socket = new WebSocket(url);
  const waiting = new Map<number, (result: unknown) => void>();
  let last = 0;
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  socket.addEventListener('open', () => resolve());
  socket.addEventListener('error', () => reject(new Error(`no inspector at ${url}`)));
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  await opened;

  function call(method: string): Promise<unknown> {
    const { promise, resolve: done } = Promise.withResolvers<unknown>();
    const id = ++last;
    waiting.set(id, (result) => {
      waiting.delete(id);
      done(result);
    });
    socket.send(JSON.stringify({ id, method }));
    return promise;
  }

  return {
    async liveOctets() {
      // What is in flight between collecting and reading comes on top, so that the least of several is the nearest.
      let least = Number.POSITIVE_INFINITY;
      for (let left = READINGS; left > 0; left--) {
        await call('HeapProfiler.collectGarbage');
        const { usedSize, backingStorageSize = 0 } = (await call('Runtime.getHeapUsage')) as HeapUsage;
        least = Math.min(least, usedSize + backingStorageSize);
      }
      return least;
    },
    close: () => socket.close(),
  };
}
