import { createHmac, hash } from 'node:crypto';
import type { OutgoingRequest } from '../forward/upstream.ts';

export interface SigningKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** What a signature is good for. */
export interface SigningScope {
  readonly region: string;
  readonly service: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/**
 * The headers that sign a request of which every header (names in lower case), the body and the URL stay as they are:
 * AWS Signature Version 4, as all services but S3 take it.
 */
export function signatureV4(
  { method, url, headers, body }: OutgoingRequest,
  { region, service }: SigningScope,
  { accessKeyId, secretAccessKey, sessionToken }: SigningKey,
  now: Date,
): Readonly<Record<string, string>> {
  const stamp = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const added = { 'x-amz-date': stamp, 'x-amz-security-token': sessionToken };
  const signed = Object.entries({ ...headers, ...added, host: url.host }).sort(byNameThenValue);
  const names = signed.map(([name]) => name).join(';');
  const fields = signed.map(([name, value]) => `${name}:${value.trim().replace(/\s+/g, ' ')}`);
  const request = [method, pathOf(url), queryOf(url), ...fields, '', names, hash('sha256', body)].join('\n');
  const scope = [stamp.slice(0, 8), region, service, 'aws4_request'];
  const key = scope.reduce<string | Buffer>((above, part) => hmac(above, part).digest(), `AWS4${secretAccessKey}`);
  const text = [ALGORITHM, stamp, scope.join('/'), hash('sha256', request)].join('\n');
  const credential = [accessKeyId, ...scope].join('/');
  const signature = hmac(key, text).digest('hex');
  return {
    ...added,
    authorization: `${ALGORITHM} Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text);

/** RFC 3986 section 2.3: nothing else stands for itself. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** Encoded twice: once more than in the URL. */
const pathOf = ({ pathname }: URL): string => pathname.replace(/\/+/g, '/').split('/').map(encoded).join('/');

const queryOf = ({ searchParams }: URL): string =>
  [...searchParams]
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(byNameThenValue)
    .map((pair) => pair.join('='))
    .join('&');

type Pair = readonly [string, string];

const byNameThenValue = ([a, x]: Pair, [b, y]: Pair): number => (a === b ? compare(x, y) : compare(a, b));

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
