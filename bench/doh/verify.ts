import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { decodeMessage } from '../../src/dns/message.ts';
import type { Place, Protocol, RunningServer } from './server.ts';
import { ADDRESS, TARGETS } from './zone.ts';

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function askH1(port: number): Promise<Buffer[]> {
  const ask = async (path: string): Promise<Buffer> => {
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    http.get({ host: '127.0.0.1', port, path, agent: false }, resolve).on('error', reject);
    return readAll(await promise);
  };
  const answers: Buffer[] = [];
  for (const target of TARGETS) answers.push(await ask(target));
  return answers;
}

async function askH2(port: number, ca: string): Promise<Buffer[]> {
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca });
  const ask = (path: string) => readAll(session.request({ ':path': path, accept: 'application/dns-message' }));
  return Promise.all(TARGETS.map(ask)).finally(() => session.close());
}

/** Speed is worth nothing to a wrong answer. @throws unless each name is answered with its address. */
export async function verify({ name, port }: RunningServer, protocol: Protocol, place: Place): Promise<void> {
  const wires = protocol === 'h2' ? await askH2(port, readFileSync(place.ca, 'utf8')) : await askH1(port);
  for (const [n, wire] of wires.entries()) {
    const message = decodeMessage(wire);
    const isRight = message?.rcode === 0 && message.answers.some(({ data }) => data === ADDRESS);
    if (!isRight)
      throw new Error(`${name} (${protocol}) answers ${TARGETS[n]} with ${wire.toString('hex') || 'nothing'}`);
  }
}
