import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { TLSSocket } from 'node:tls';
import { durationText } from '../settings/duration.ts';
import type { Connection } from './connection.ts';
import { CommandFailure } from './failure.ts';
import { signRequest } from './sign-request.ts';

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
  /**
   * The lines of an answer that goes on for as long as the server likes, until `signal` aborts.
   * @throws UnreachableError when it does not begin within the deadline, or breaks off.
   */
  lines(call: HttpCall, signal: AbortSignal): AsyncGenerator<string>;
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

/** What AWS says itself carries its own fields, and is no answer of the server behind it. */
function passed(reply: HttpReply, { url, signer }: Connection): HttpReply {
  const { status, headers, body } = reply;
  const isOfAws = headers['apigw-requestid'] !== undefined || headers['x-amzn-errortype'] !== undefined;
  if (status !== 403 || !isOfAws || body.includes('"kind":"Status"')) return reply;
  const remedy = signer
    ? 'does the policy of this identity allow it, and are its credentials still valid?'
    : 'it asks for a signature: use --auth iam';
  throw new CommandFailure(`${url.href} answers HTTP 403, before meshdoh is asked: ${remedy}`);
}

interface OpenReply {
  readonly response: http.IncomingMessage;
  /** By the monotonic clock. */
  readonly started: number;
  readonly connectMs: number;
}

export function openHttpClient(connection: Connection): HttpClient {
  const { url, ca, credential, signer, timeoutMs } = connection;
  const kept = { keepAlive: true, maxSockets: MAX_IN_FLIGHT };
  const secure = url.protocol === 'https:';
  const agent = secure ? new https.Agent(ca === undefined ? kept : { ...kept, ca }) : new http.Agent(kept);
  const request = secure ? https.request : http.request;
  const prefix = url.pathname.replace(/\/$/, '');
  const authorization = credential ? { authorization: `Bearer ${credential.token}` } : {};

  /** The path and the header fields that let the call in. */
  async function admitted({ method, target, headers, body }: HttpCall) {
    const path = `${prefix}${target}`;
    if (!signer) return { path, headers: { ...headers, ...authorization } };
    const signed = signRequest(
      {
        method,
        host: url.host,
        target: path,
        ...(headers?.['content-type'] === undefined ? {} : { contentType: headers['content-type'] }),
        ...(body === undefined ? {} : { body: Buffer.from(body) }),
      },
      signer.scope,
      await signer.credentials(),
      signer.now(),
    );
    return { path: signed.target, headers: { ...headers, ...signed.headers } };
  }

  /** Until the head of the answer is there. */
  async function open(call: HttpCall, signal: AbortSignal): Promise<OpenReply> {
    const { method, body } = call;
    const { path, headers } = await admitted(call);
    const started = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const length = { 'content-length': String(Buffer.byteLength(body ?? '')) };
    let connected = started;
    const noteConnected = () => {
      connected = performance.now();
    };
    request(url, {
      method,
      path,
      agent,
      signal,
      headers: { ...headers, ...(body === undefined ? {} : length) },
    })
      .on('socket', (socket) => {
        if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', noteConnected);
      })
      .on('response', resolve)
      .on('error', reject)
      .end(body);
    return { response: await promise, started, connectMs: connected - started };
  }

  async function exchange(call: HttpCall, signal: AbortSignal): Promise<HttpReply> {
    const { response, started, connectMs } = await open(call, signal);
    const { statusCode: status = 0, headers, socket } = response;
    const reply = { status, headers, peer: peerOf(socket), connectMs };
    return { ...reply, body: await readBody(response), elapsedMs: performance.now() - started };
  }

  return {
    async call(call) {
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        return passed(await exchange(call, signal), connection);
      } catch (error) {
        if (error instanceof CommandFailure) throw error;
        throw unreachable(connection, error, signal.aborted);
      }
    },
    async *lines(call, signal) {
      const head = new AbortController();
      const timer = setTimeout(() => head.abort(), timeoutMs);
      try {
        const { response } = await open(call, AbortSignal.any([signal, head.signal]));
        clearTimeout(timer);
        yield* createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY });
      } catch (error) {
        if (error instanceof CommandFailure) throw error;
        if (!signal.aborted) throw unreachable(connection, error, head.signal.aborted);
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => agent.destroy(),
  };
}
