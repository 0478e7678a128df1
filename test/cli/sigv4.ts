import { createHash, createHmac } from 'node:crypto';

interface Signed {
  readonly method: string;
  /** Path and query, without anything that would have to be encoded anew. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const digest = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** Whether the request has the signature that AWS would expect of it, by the description of Signature Version 4. */
export function isSigned({ method, target, headers, body }: Signed, secret: string): boolean {
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=[^/]+\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([\da-f]{64})$/;
  const [, date = '', region = '', service = '', names = '', signature] =
    pattern.exec(String(headers.authorization)) ?? [];
  const [path = '', query = ''] = target.split('?');
  const canonicalHeaders = names.split(';').map((name) => `${name}:${headers[name]}\n`);
  const canonicalQuery = query.split('&').sort().join('&');
  const canonical = [method, path, canonicalQuery, canonicalHeaders.join(''), names, digest(body)].join('\n');
  const scope = `${date}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, digest(canonical)].join('\n');
  const key = [date, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secret}`);
  return hmac(key, toSign).toString('hex') === signature;
}
