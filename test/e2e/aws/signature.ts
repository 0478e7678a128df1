import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** A request as it came over the wire. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query, as received. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Long-term, or of a role's session, which has a token. */
export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  readonly sessionToken?: string;
  /** Of the user, or of the assumed role. */
  readonly arn: string;
}

export type Verified =
  | { readonly ok: true; readonly key: AccessKey; readonly service: string }
  | { readonly ok: false; readonly code: string; readonly reason: string };

const MAX_SKEW_MS = 5 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/,\s]+)\/([^/,\s]+)\/aws4_request,\s*SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})$/;

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** RFC 3986's unreserved characters stay. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

const decoded = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));

/** S3 signs the path as it is sent; everybody else signs it encoded once more. */
const canonicalPath = (path: string, service: string): string =>
  service === 's3' ? path : path.split('/').map(encoded).join('/');

function canonicalQuery(query: string): string {
  const pairs = query.split('&').filter((pair) => pair !== '');
  return pairs
    .map((pair) => pair.split(/=(.*)/s, 2).map((part) => encoded(decoded(part))))
    .map(([name = '', value = '']) => `${name}=${value}`)
    .sort()
    .join('&');
}

const fieldValue = (headers: IncomingHttpHeaders, name: string): string =>
  [headers[name] ?? (name === 'host' ? headers[':authority'] : '') ?? '']
    .flat()
    .map((value) => String(value).trim().replace(/\s+/g, ' '))
    .join(',');

const refusal = (code: string, reason: string): Verified => ({ ok: false, code, reason });

/** What of the payload was signed; undefined when that is not what came. */
function payloadHash({ headers, body }: SignedRequest, service: string): string | undefined {
  const stated = headers['x-amz-content-sha256'];
  const actual = sha256(body);
  if (service !== 's3') return stated === undefined || stated === actual ? actual : undefined;
  const unsigned = stated === 'UNSIGNED-PAYLOAD' || stated === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
  return unsigned || stated === actual ? String(stated) : undefined;
}

/** Header fields that a signature must cover: what says where to, and all that only AWS reads. */
function unsignedField(headers: IncomingHttpHeaders, signed: ReadonlySet<string>): string | undefined {
  const names = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))];
  return names.find((name) => !signed.has(name));
}

/** `20261124T014500Z` */
function timeOf(text: string): number {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** AWS Signature Version 4, from the receiver's side. */
export function verifySignature(
  request: SignedRequest,
  keys: ReadonlyMap<string, AccessKey>,
  now = Date.now(),
): Verified {
  const { headers, target, method } = request;
  const match = AUTHORIZATION.exec(headers.authorization ?? '');
  if (!match) return refusal('MissingAuthenticationToken', 'no signature in the Authorization header');
  const [, id = '', date = '', region = '', service = '', names = '', signature = ''] = match;
  const key = keys.get(id);
  if (!key) return refusal('UnrecognizedClientException', `the access key ${id} is nobody's`);
  if (headers['x-amz-security-token'] !== key.sessionToken) {
    return refusal('InvalidClientTokenId', 'the security token is not that of the access key');
  }
  const time = String(headers['x-amz-date'] ?? '');
  const skew = Math.abs(timeOf(time) - now);
  if (!time.startsWith(date) || !(skew <= MAX_SKEW_MS)) {
    return refusal('SignatureDoesNotMatch', `x-amz-date is ${time}, too far from now or from the scope`);
  }
  const bare = unsignedField(headers, new Set(names.split(';')));
  if (bare !== undefined) return refusal('SignatureDoesNotMatch', `the field ${bare} is not signed`);
  const payload = payloadHash(request, service);
  if (payload === undefined) return refusal('SignatureDoesNotMatch', 'the payload is not the one that was signed');
  const [path = '', query = ''] = target.split(/\?(.*)/s, 2);
  const fields = names.split(';').map((name) => `${name}:${fieldValue(headers, name)}\n`);
  const canonical = [method, canonicalPath(path, service), canonicalQuery(query), fields.join(''), names, payload];
  const scope = `${date}/${region}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical.join('\n'))].join('\n');
  const signing = [date, region, service, 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${key.secret}`));
  const expected = hmac(signing, text);
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'))
    ? { ok: true, key, service }
    : refusal('SignatureDoesNotMatch', `the signature does not match:\n${canonical.join('\n')}`);
}
