import https from 'node:https';
import { buffer } from 'node:stream/consumers';
import aws4 from 'aws4';
import { REGION } from './account.ts';
import type { AccessKey } from './signature.ts';

export interface Sent {
  readonly method?: string;
  /** Path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Whose signature it carries. */
  readonly signer?: AccessKey;
  readonly service?: 'execute-api' | 'lambda';
}

export interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** One request over HTTPS, signed or not. */
export type Send = (sent: Sent) => Promise<Received>;

function signedFields(
  host: string,
  { method = 'GET', target, headers, body, signer, service }: Sent,
): Record<string, string> {
  if (!signer) return { ...headers };
  const { id: accessKeyId, secret: secretAccessKey, sessionToken } = signer;
  const request = { host, method, path: target, headers: { ...headers }, service: service ?? 'execute-api' };
  const signed = aws4.sign(
    { ...request, region: REGION, ...(body === undefined ? {} : { body: Buffer.from(body) }) },
    { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
  );
  return signed.headers as Record<string, string>;
}

/** `ca`: PEM of the authority that the server is trusted by. */
export function httpsClient(url: string, ca: string): Send {
  const agent = new https.Agent({ keepAlive: false, ca });
  const { host, hostname, port } = new URL(url);
  return async (sent) => {
    const { method = 'GET', target, body } = sent;
    const { promise, resolve, reject } = Promise.withResolvers<Received>();
    const headers = signedFields(host, sent);
    const request = https.request({ hostname, port, agent, method, path: target, headers }, async (response) => {
      const received = response.headers as Record<string, string>;
      resolve({ status: response.statusCode ?? 0, headers: received, body: await buffer(response) });
    });
    request.on('error', reject);
    request.end(body);
    return promise;
  };
}
