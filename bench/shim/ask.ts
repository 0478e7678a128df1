import { createSocket } from 'node:dgram';
import { parseName } from '../../src/dns/name.ts';
import { encodeQuery } from '../../src/dns/query.ts';

/** Whether a query over UDP is answered without an error within `timeoutMs`. */
export async function answers(port: number, name: string, timeoutMs: number): Promise<boolean> {
  const qname = parseName(name);
  if (qname === undefined) throw new Error(`not a name: ${name}`);
  const socket = createSocket('udp4');
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, timeoutMs, false);
  socket.on('error', () => resolve(false));
  socket.on('message', (response) => resolve(((response[3] ?? 0) & 0x0f) === 0));
  socket.send(encodeQuery({ qname, qtype: 1, id: 1 }), port, '127.0.0.1', (error) => {
    if (error) resolve(false);
  });
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

/** Milliseconds until the first good answer. */
export async function untilAnswered(port: number, name: string, withinMs: number): Promise<number> {
  const started = performance.now();
  while (performance.now() - started < withinMs) if (await answers(port, name, 5)) return performance.now() - started;
  throw new Error(`port ${port} does not answer ${name} within ${withinMs} ms`);
}
