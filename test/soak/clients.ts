import http2 from 'node:http2';
import https from 'node:https';
import { buffer } from 'node:stream/consumers';

/** One query over HTTP: the DNS response. Rejects when there is none. */
export type Client = (wire: Buffer) => Promise<Buffer>;

export interface Clients {
  readonly all: readonly Client[];
  close(): void;
}

const TYPE = 'application/dns-message';
const TIMEOUT_MS = 5_000;

const target = (wire: Buffer): string => `/dns-query?dns=${wire.toString('base64url')}`;

function overHttp2(session: http2.ClientHttp2Session, method: 'GET' | 'POST'): Client {
  return async (wire) => {
    const head =
      method === 'GET'
        ? { ':path': target(wire), accept: TYPE }
        : { ':method': method, ':path': '/dns-query', 'content-type': TYPE };
    const stream = session.request(head, { endStream: method === 'GET' });
    stream.setTimeout(TIMEOUT_MS, () => stream.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    let status: number | undefined;
    stream.on('response', (headers) => {
      status = headers[':status'];
    });
    if (method === 'POST') stream.end(wire);
    const body = await buffer(stream);
    if (status !== 200) throw new Error(`HTTP status ${status}`);
    return body;
  };
}

function overHttp1(agent: https.Agent, port: number): Client {
  return async (wire) => {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const options = { agent, host: '127.0.0.1', port, path: target(wire), timeout: TIMEOUT_MS };
    const request = https.get(options, (response) => {
      if (response.statusCode === 200) buffer(response).then(resolve, reject);
      else reject(new Error(`HTTP status ${response.statusCode}`));
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    request.on('error', reject);
    return promise;
  };
}

/** Some of each kind: HTTP/2 by GET and by POST, and HTTP/1.1. */
export function openClients(port: number, ca: string): Clients {
  const sessions = Array.from({ length: 8 }, () => http2.connect(`https://127.0.0.1:${port}`, { ca }));
  // A session that fails fails its streams, and they say so.
  for (const session of sessions) session.on('error', () => undefined);
  const agent = new https.Agent({ ca, keepAlive: true, maxSockets: 32, ALPNProtocols: ['http/1.1'] });
  const all = sessions.flatMap((session, index) => [
    overHttp2(session, index % 2 === 0 ? 'GET' : 'POST'),
    overHttp1(agent, port),
  ]);
  return {
    all,
    close() {
      for (const session of sessions) session.destroy();
      agent.destroy();
    },
  };
}
