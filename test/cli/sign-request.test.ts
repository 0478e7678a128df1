import { describe, expect, it } from 'vitest';
import { environmentCredentials, type SigningScope, signingScope, signRequest } from '../../src/cli/sign-request.ts';
import { isSigned } from './sigv4.ts';

const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const NOW = Date.parse('2015-08-30T12:36:00Z');
const SCOPE: SigningScope = { region: 'us-east-1', service: 'execute-api' };
const EMPTY = new Uint8Array();

describe('a signature', () => {
  it('is that of AWS’s own example', () => {
    const { headers } = signRequest(
      { method: 'GET', host: 'example.amazonaws.com', target: '/' },
      { region: 'us-east-1', service: 'service' as 'lambda' },
      CREDENTIALS,
      NOW,
    );
    expect(headers.authorization).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, ' +
        'Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    );
  });

  it.each<[string, string, string, string | undefined]>([
    ['a path', 'GET', '/apis/networking.istio.io/v1/serviceentries', undefined],
    ['a query', 'GET', '/apis/x?watch=true&labelSelector=a%3Db%2Cc%20in%20%28d%29', undefined],
    ['a body', 'POST', '/apis/x', '{"a": 1}'],
  ])('covers %s', (_, method, target, text) => {
    const body = text === undefined ? EMPTY : Buffer.from(text);
    const signed = signRequest(
      { method, host: 'api.example', target, ...(text ? { body, contentType: 'application/json' } : {}) },
      SCOPE,
      CREDENTIALS,
      NOW,
    );
    const request = { method, target: signed.target, headers: signed.headers, body };
    expect(isSigned(request, CREDENTIALS.secretAccessKey)).toBe(true);
    expect(isSigned({ ...request, target: `${signed.target}x` }, CREDENTIALS.secretAccessKey)).toBe(false);
    expect(isSigned({ ...request, body: Buffer.from('x') }, CREDENTIALS.secretAccessKey)).toBe(false);
    expect(isSigned(request, 'another')).toBe(false);
  });

  it('covers the session of temporary credentials', () => {
    const { headers } = signRequest(
      { method: 'GET', host: 'api.example', target: '/' },
      SCOPE,
      { ...CREDENTIALS, sessionToken: 'session' },
      NOW,
    );
    expect(headers['x-amz-security-token']).toBe('session');
    expect(headers.authorization).toContain('x-amz-security-token');
  });
});

describe('the scope', () => {
  it.each<[string, string | undefined, SigningScope | undefined]>([
    ['a1.execute-api.eu-central-1.amazonaws.com', undefined, { region: 'eu-central-1', service: 'execute-api' }],
    ['a1.lambda-url.eu-west-1.on.aws', undefined, { region: 'eu-west-1', service: 'lambda' }],
    ['dns.example.org', 'eu-west-1', { region: 'eu-west-1', service: 'execute-api' }],
    ['dns.example.org', undefined, undefined],
    ['execute-api.eu-west-1.amazonaws.com.example.org', undefined, undefined],
  ])('of %s, with Region %s, is %j', (hostname, region, scope) => {
    expect(signingScope(hostname, region)).toEqual(scope);
  });
});

describe('the credentials of the environment', () => {
  it('are there whole, or not at all', () => {
    const whole = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
    expect(environmentCredentials(whole)).toEqual({ accessKeyId: 'a', secretAccessKey: 'b' });
    expect(environmentCredentials({ ...whole, AWS_SESSION_TOKEN: 'c' })).toMatchObject({ sessionToken: 'c' });
    expect(environmentCredentials({ AWS_ACCESS_KEY_ID: 'a' })).toBeUndefined();
    expect(environmentCredentials({ ...whole, AWS_SECRET_ACCESS_KEY: '' })).toBeUndefined();
  });
});
