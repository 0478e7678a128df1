import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { durationText } from '../settings/duration.ts';
import type { Connection } from './connection.ts';
import { CommandFailure } from './failure.ts';

export interface HttpCall {
  readonly method: string;
  /** Path and query below the server's URL. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  /** For traces. */
  readonly peer: string;
  /** Until the connection stood, TLS included; 0 where one was kept. */
  readonly connectMs: number;
  readonly elapsedMs: number;
}

/** Calls to one server over connections that are kept, each with the credential and the deadline. */
export interface HttpClient {
  /** @throws UnreachableError when there is no whole answer within the deadline. */
  call(call: HttpCall): Promise<HttpReply>;
  close(): void;
}

/** Calls under way at once; each has a connection. */
export const MAX_IN_FLIGHT = 8;

/** Above the list of the largest registry there is. */
const MAX_REPLY_OCTETS = 256 * 1024 * 1024;

/** The server gave no answer; the message names its URL, the reason and the remedy. */
export class UnreachableError extends CommandFailure {
  override readonly name = 'UnreachableError';
}

interface Explanation {
  readonly reason: string;
  readonly remedy: string;
}

const IS_IT_RUNNING: Explanation = {
  reason: 'connection refused',
  remedy: 'is it running? "meshdoh start" starts one; --server or MESHDOH_SERVER names another',
};
const UNKNOWN_HOST: Explanation = { reason: 'its name has no address', remedy: 'check --server or MESHDOH_SERVER' };
const UNTRUSTED: Explanation = {
  reason: 'its certificate is from an authority that is not trusted here',
  remedy: 'name the PEM file of that authority with --cacert',
};
const NOT_TLS: Explanation = { reason: 'it does not speak TLS', remedy: 'is its URL one with http://?' };
const NOT_HTTP: Explanation = { reason: 'it does not speak HTTP', remedy: 'is its URL one with https://?' };

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  ECONNREFUSED: IS_IT_RUNNING,
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: UNKNOWN_HOST,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_HAS_EXPIRED: { reason: 'its certificate has expired', remedy: 'renew it at the server' },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    reason: 'its certificate is for another name',
    remedy: 'name the server as its certificate does',
  },
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS,
  EPROTO: NOT_TLS,
  HPE_INVALID_CONSTANT: NOT_HTTP,
  ECONNRESET: {
    reason: 'it closed the connection',
    remedy: 'is its URL one with the other of http:// and https://? otherwise try again',
  },
};

function unreachable({ url, origin, timeoutMs }: Connection, error: unknown, timedOut: boolean): UnreachableError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const { reason, remedy } = timedOut
    ? {
        reason: `no answer within ${durationText(timeoutMs)}`,
        remedy: 'check --server or MESHDOH_SERVER, or wait longer with --request-timeout',
      }
    : (EXPLANATIONS[code] ?? { reason: message || code, remedy: 'check --server or MESHDOH_SERVER' });
  const text = `cannot reach the meshdoh server at ${url.href} (from ${origin}): ${reason}: ${remedy}`;
  return new UnreachableError(text, { cause: error });
}

async function readBody(response: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_REPLY_OCTETS) throw new Error(`it answers with over ${MAX_REPLY_OCTETS} octets`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function peerOf(socket: Socket): string {
  const { remoteAddress = '', remotePort = 0, remoteFamily } = socket;
  const address = remoteFamily === 'IPv6' ? `[${remoteAddress}]` : remoteAddress;
  const tls = socket instanceof TLSSocket ? `, ${socket.getProtocol()}` : '';
  return `${address}:${remotePort}${tls}`;
}

export function openHttpClient(connection: Connection): HttpClient {
  const { url, ca, credential, timeoutMs } = connection;
  const kept = { keepAlive: true, maxSockets: MAX_IN_FLIGHT };
  const secure = url.protocol === 'https:';
  const agent = secure ? new https.Agent(ca === undefined ? kept : { ...kept, ca }) : new http.Agent(kept);
  const request = secure ? https.request : http.request;
  const prefix = url.pathname.replace(/\/$/, '');
  const authorization = credential ? { authorization: `Bearer ${credential.token}` } : {};

  async function exchange({ method, target, headers, body }: HttpCall, signal: AbortSignal): Promise<HttpReply> {
    const started = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const length = { 'content-length': String(Buffer.byteLength(body ?? '')) };
    let connected = started;
    const noteConnected = () => {
      connected = performance.now();
    };
    request(url, {
      method,
      path: `${prefix}${target}`,
      agent,
      signal,
      headers: { ...headers, ...authorization, ...(body === undefined ? {} : length) },
    })
      .on('socket', (socket) => {
        if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', noteConnected);
      })
      .on('response', resolve)
      .on('error', reject)
      .end(body);
    const response = await promise;
    const { statusCode: status = 0, headers: received, socket } = response;
    const reply = { status, headers: received, peer: peerOf(socket), connectMs: connected - started };
    return { ...reply, body: await readBody(response), elapsedMs: performance.now() - started };
  }

  return {
    async call(call) {
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        return await exchange(call, signal);
      } catch (error) {
        throw unreachable(connection, error, signal.aborted);
      }
    },
    close: () => agent.destroy(),
  };
}
