import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { decodeQuery } from '../../src/dns/query.ts';
import { encodeResponse } from '../../src/dns/response.ts';

/** Seconds: so short that many queries go on to the upstream. */
const TTL = 2;

/** A DoH server on loopback that answers every name with one address. */
export async function startUpstream(): Promise<{ readonly url: string; close(): void }> {
  const server = createServer(async (request, response) => {
    const decoded = decodeQuery(await buffer(request));
    if (!decoded.ok || !decoded.query.question) {
      response.writeHead(400).end();
      return;
    }
    const answer = { type: 'A', owner: decoded.query.question.qname, ttl: TTL, address: '192.0.2.80' } as const;
    response.writeHead(200, { 'content-type': 'application/dns-message' });
    response.end(encodeResponse(decoded.query, { rcode: 0, answers: [answer] }));
  });
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await listening;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dns-query`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
