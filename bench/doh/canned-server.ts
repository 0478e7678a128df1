/**
 * The least that Node can do: node:http2 or node:http, and the same octets for every request, with the header fields
 * of meshdoh.
 * Arguments: h2 or h1, the port, and for h2 the certificate and its key.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { RRType } from '../../src/dns/constants.ts';
import { parseName } from '../../src/dns/name.ts';
import { decodeQuery, encodeQuery } from '../../src/dns/query.ts';
import { encodeResponse } from '../../src/dns/response.ts';
import { ADDRESS, NAMES } from './zone.ts';

function cannedAnswer(): Buffer {
  const owner = parseName(NAMES[0] ?? '');
  if (!owner) throw new Error('no name to answer for');
  const decoded = decodeQuery(encodeQuery({ qname: owner, qtype: RRType.A, rd: true }));
  if (!decoded.ok) throw new Error(decoded.reason);
  return encodeResponse(decoded.query, { rcode: 0, answers: [{ owner, type: 'A', ttl: 30, address: ADDRESS }] });
}

const [protocol, port, cert = '', key = ''] = process.argv.slice(2);
const body = cannedAnswer();
const headers = {
  'content-type': 'application/dns-message',
  'content-length': String(body.length),
  'cache-control': 'max-age=30',
  vary: 'Accept',
};

function createH2(): http2.Http2SecureServer {
  const server = http2.createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) });
  return server.on('stream', (stream) => {
    stream.on('error', () => stream.destroy());
    stream.respond({ ':status': 200, ...headers });
    stream.end(body);
  });
}

const createH1 = (): http.Server =>
  http.createServer((_request, response) => {
    response.writeHead(200, headers).end(body);
  });

(protocol === 'h2' ? createH2() : createH1()).listen(Number(port), '127.0.0.1');
