import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { parentPort } from 'node:worker_threads';
import { decodeQuery } from '../../src/dns/query.ts';
import { encodeResponse } from '../../src/dns/response.ts';

// A DoH server on loopback that answers every name with one address. It tells its parent its URL.

/** Seconds: so short that many queries go on to the upstream. */
const TTL = 2;

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
server.listen(0, '127.0.0.1', () =>
  parentPort?.postMessage(`http://127.0.0.1:${(server.address() as AddressInfo).port}/dns-query`),
);
