import aws4 from 'aws4';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { signatureV4 } from '../../src/shim/signature-v4.ts';

const KEY = { accessKeyId: 'AKID', secretAccessKey: 'secret', sessionToken: 'session' };
const NOW = new Date('2015-08-30T12:36:00.123Z');

/** What another implementation makes of the same request. */
function authorizationOf(url: URL, method: string, headers: Readonly<Record<string, string>>, body: Buffer): unknown {
  const request = {
    ...{ service: 'execute-api', region: 'eu-west-1', method, host: url.host, path: url.pathname + url.search },
    ...{ headers: { ...headers, 'X-Amz-Date': '20150830T123600Z' }, body: body.length > 0 ? body : '' },
  };
  return (aws4.sign(request, KEY).headers as Readonly<Record<string, unknown>>).Authorization;
}

const signed = (url: URL, method: 'GET' | 'POST', headers: Readonly<Record<string, string>>, body: Buffer) =>
  signatureV4({ method, url, headers, body }, { region: 'eu-west-1', service: 'execute-api' }, KEY, NOW);

it.each([
  'https://dns.example/',
  'https://dns.example:8443/iam/dns-query',
  'https://dns.example/a//b/./c/../d',
  'https://dns.example/a%20b/(c)!*%27/~d',
  'https://dns.example/?vips=0',
  'https://dns.example/q?b=2&a=1&a-b=3&a=0&c',
  'https://dns.example/q?a=%C3%A9+x%2B&%21=~*',
])('a signature covers %s as aws4 does', (text) => {
  const url = new URL(text);
  const headers = { accept: 'application/json', 'if-none-match': '"a   b"' };
  expect(signed(url, 'GET', headers, Buffer.alloc(0)).authorization).toBe(
    authorizationOf(url, 'GET', headers, Buffer.alloc(0)),
  );
});

it('a signature covers any query and body as aws4 does', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' });
  // aws4 keeps them in an object, and loses one of this name.
  const pairs = fc.array(
    fc.tuple(
      text.filter((one) => one !== '__proto__'),
      text,
    ),
  );
  fc.assert(
    fc.property(pairs, fc.uint8Array({ minLength: 1 }), (query, octets) => {
      const url = new URL(`https://dns.example/dns-query?${new URLSearchParams(query)}`);
      const headers = { 'content-type': 'application/dns-message', 'content-length': String(octets.length) };
      const body = Buffer.from(octets);
      expect(signed(url, 'POST', headers, body)).toEqual({
        'x-amz-date': '20150830T123600Z',
        'x-amz-security-token': 'session',
        authorization: authorizationOf(url, 'POST', headers, body),
      });
    }),
  );
});
