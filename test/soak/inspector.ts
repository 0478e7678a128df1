/** A process that runs with `--inspect`, asked to throw away what nothing holds any more. */
export interface Inspector {
  collectGarbage(): Promise<void>;
  close(): void;
}

/** `url` is the one that Node prints, `ws://…`. */
export async function openInspector(url: string): Promise<Inspector> {
  const socket = new WebSocket(url);
  const waiting = new Map<number, () => void>();
  let last = 0;
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  socket.addEventListener('open', () => resolve());
  socket.addEventListener('error', () => reject(new Error(`no inspector at ${url}`)));
  socket.addEventListener('message', ({ data }) => {
    const { id } = JSON.parse(String(data)) as { id?: number };
    if (id !== undefined) waiting.get(id)?.();
  });
  await opened;
  return {
    collectGarbage() {
      const { promise, resolve: done } = Promise.withResolvers<void>();
      const id = ++last;
      waiting.set(id, () => {
        waiting.delete(id);
        done();
      });
      socket.send(JSON.stringify({ id, method: 'HeapProfiler.collectGarbage' }));
      return promise;
    },
    close: () => socket.close(),
  };
}
