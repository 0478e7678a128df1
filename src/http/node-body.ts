import type { Readable } from 'node:stream';

export interface BodyLimits {
  readonly octets: number;
  readonly timeoutMs: number;
}

/**
 * Reads the octets of a request, or as many as show that they are over the limit, and tells `done`, which is not told
 * of a client that goes away or takes longer than its time.
 */
export function readBody(request: Readable, limits: BodyLimits, done: (body: Buffer, whole: boolean) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const timer = setTimeout(() => request.destroy(), limits.timeoutMs);
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
    if (length > limits.octets) finish(false);
  };
  request.on('data', onData).on('end', onEnd);
  request.once('close', () => clearTimeout(timer));
}
