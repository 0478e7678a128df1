import aws4 from 'aws4';
import { describe, expect, it } from 'vitest';
import { type AccessKey, type SignedRequest, verifySignature } from './signature.ts';

const KEY: AccessKey = { id: 'AKIAEXAMPLE', secret: 'secret', arn: 'arn:aws:iam::123456789012:user/a' };
const SESSION: AccessKey = { ...KEY, id: 'ASIAEXAMPLE', sessionToken: 'session+token/=' };
const KEYS = new Map([KEY, SESSION].map((key) => [key.id, key]));

interface Asked {
  readonly method?: string;
  readonly target?: string;
  readonly body?: string;
  readonly key?: AccessKey;
  readonly service?: string;
}

/** As a library of somebody else signs it. */
function signed({ method = 'GET', target = '/', body = '', key = KEY, service = 'execute-api' }: Asked): SignedRequest {
  const { id: accessKeyId, secret: secretAccessKey, sessionToken } = key;
  const { headers = {} } = aws4.sign(
    { host: 'localhost:1', method, path: target, service, region: 'us-east-1', ...(body === '' ? {} : { body }) },
    { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
  );
  const fields = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return { method, target, headers: Object.fromEntries(fields), body: Buffer.from(body) };
}

const verify = (request: SignedRequest, now?: number) => verifySignature(request, KEYS, now);

describe('a signature', () => {
  const targets = [
    '/',
    '/a/b',
    '/iam/dns-query?dns=AAAB',
    '/x?b=2&a=1&a=0',
    '/apis/a%20b',
    '/v1/a%2Fb',
    '/x?name=a%26b',
  ];
  it.each(targets)('of %s is good, and tells whose it is', (target) => {
    expect(verify(signed({ target }))).toMatchObject({ ok: true, key: KEY, service: 'execute-api' });
    expect(verify(signed({ target, method: 'POST', body: 'é', key: SESSION }))).toMatchObject({
      ok: true,
      key: SESSION,
    });
  });

  const tampered: [what: string, tamper: (request: SignedRequest) => SignedRequest][] = [
    ['method', (request) => ({ ...request, method: 'DELETE' })],
    ['path', (request) => ({ ...request, target: request.target.replace('/a', '/b') })],
    ['query', (request) => ({ ...request, target: `${request.target}&x=1` })],
    ['body', (request) => ({ ...request, body: Buffer.from('other') })],
    ['host', (request) => ({ ...request, headers: { ...request.headers, host: 'elsewhere' } })],
    ['date', (request) => ({ ...request, headers: { ...request.headers, 'x-amz-date': '20200101T000000Z' } })],
    ['an unsigned field of AWS', (request) => ({ ...request, headers: { ...request.headers, 'x-amz-acl': 'public' } })],
    ['no signature', ({ headers: { authorization, ...headers }, ...request }) => ({ ...request, headers })],
    [
      'signature',
      (request) => {
        const authorization = request.headers.authorization?.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
        return { ...request, headers: { ...request.headers, ...(authorization ? { authorization } : {}) } };
      },
    ],
  ];
  it.each(tampered)('is bad for another %s', (_what, tamper) => {
    const request = signed({ method: 'POST', target: '/a?b=1', body: 'body' });
    expect(verify(request).ok).toBe(true);
    expect(verify(tamper(request)).ok).toBe(false);
  });

  it('is bad with another secret, a key of nobody, or without the session’s token', () => {
    expect(verify(signed({ key: { ...KEY, secret: 'guessed' } })).ok).toBe(false);
    expect(verify(signed({ key: { ...KEY, id: 'AKIANOBODY' } })).ok).toBe(false);
    const { sessionToken: _, ...withoutToken } = SESSION;
    expect(verify(signed({ key: withoutToken })).ok).toBe(false);
  });

  it('is bad five minutes later', () => {
    const request = signed({});
    expect(verify(request, Date.now() + 4 * 60_000).ok).toBe(true);
    expect(verify(request, Date.now() + 6 * 60_000).ok).toBe(false);
  });
});
