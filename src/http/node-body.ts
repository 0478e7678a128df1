import type { Readable } from 'node:stream';

/** A client that sends its request slower than this holds a socket for nothing. */
export const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Reads the octets of a request, or as many as show that they are over the limit, and tells `done`, which is not told
 * of a client that goes away or takes longer than its time.
 */
export function readBody(request: Readable, limit: number, done: (body: Buffer, whole: boolean) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const timer = setTimeout(() => request.destroy(), REQUEST_TIMEOUT_MS);
  const finish = (whole: boolean) => {
    clearTimeout(timer);
    request.off('data', onData).off('end', onEnd);
    const [first] = chunks;
    done(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks), whole);
  };
  const onEnd = () => finish(true);
  const onData = (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) finish(false);
  };
  request.on('data', onData).on('end', onEnd);
  request.once('close', () => clearTimeout(timer));
}
