import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { dohHandler, type HttpEvent, signedAppHandler } from '../../src/http/lambda-adapter.ts';
import { type HttpRequest, type HttpResponse, textResponse } from '../../src/http/message.ts';
import { httpEvent } from '../support/http-event.ts';

/** As an HTTP API sends it for `curl -d @query --aws-sigv4 aws:amz https://…/iam/dns-query`. */
const SIGNED_POST: HttpEvent & Record<string, unknown> = {
  version: '2.0',
  routeKey: 'ANY /iam/dns-query',
  rawPath: '/iam/dns-query',
  rawQueryString: '',
  headers: {
    accept: '*/*',
    authorization: 'AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20261123/us-east-1/execute-api/aws4_request',
    'content-length': '4',
    'content-type': 'application/dns-message',
    host: 'abc123.execute-api.us-east-1.amazonaws.com',
    'x-amz-date': '20261123T120000Z',
    'x-forwarded-for': '192.0.2.7',
  },
  requestContext: {
    accountId: '123456789012',
    apiId: 'abc123',
    authorizer: {
      iam: {
        accessKey: 'ASIAEXAMPLE',
        accountId: '123456789012',
        userArn: 'arn:aws:sts::123456789012:assumed-role/vm/i-0123456789abcdef0',
      },
    },
    domainName: 'abc123.execute-api.us-east-1.amazonaws.com',
    http: { method: 'POST', path: '/iam/dns-query', protocol: 'HTTP/1.1', sourceIp: '192.0.2.7' },
    stage: '$default',
  } as HttpEvent['requestContext'],
  body: '/v4AgA==',
  isBase64Encoded: true,
};

/** As the URL of a function sends it: the path as it came, repeated fields joined by commas. */
const FROM_FUNCTION_URL: HttpEvent & Record<string, unknown> = {
  version: '2.0',
  routeKey: '$default',
  rawPath: '/a%2Fb/dns-query',
  rawQueryString: 'dns=AAAB&dns=AAAC',
  headers: {
    accept: 'application/dns-json,application/dns-message',
    host: 'abcdefghij.lambda-url.us-east-1.on.aws',
    'x-forwarded-for': '192.0.2.7',
  },
  queryStringParameters: { dns: 'AAAB,AAAC' },
  requestContext: {
    accountId: 'anonymous',
    apiId: 'abcdefghij',
    domainName: 'abcdefghij.lambda-url.us-east-1.on.aws',
    http: { method: 'HEAD', path: '/a%2Fb/dns-query', protocol: 'HTTP/1.1', sourceIp: '192.0.2.7' },
    routeKey: '$default',
    stage: '$default',
  } as HttpEvent['requestContext'],
  isBase64Encoded: false,
};

const OCTETS = Buffer.from([0, 0x80, 0xfe, 0xff]);

const wireResponse: HttpResponse = {
  status: 200,
  headers: { 'content-type': 'application/dns-message', 'content-length': '4' },
  body: OCTETS,
};

interface Carried extends HttpRequest {
  readonly by: 'signed' | 'unsigned';
}

/** Carries the event to transactions that answer `response`, and tells what they got. */
async function carry(event: HttpEvent, response: HttpResponse = wireResponse) {
  const carried: Carried[] = [];
  const transaction = (by: Carried['by']) => (request: HttpRequest) => {
    carried.push({ by, ...request });
    return Promise.resolve(response);
  };
  const result = await dohHandler({ signed: transaction('signed'), unsigned: transaction('unsigned') })(event);
  const [request, ...more] = carried;
  if (!request || more.length > 0) throw new Error(`${carried.length} requests were carried`);
  return { request, result };
}

describe('the request that DoH gets of an event', () => {
  it('has the octets of a body in base64, the method and the header fields', async () => {
    const { request } = await carry(SIGNED_POST);
    expect(request.method).toBe('POST');
    expect(request.header('content-type')).toBe('application/dns-message');
    expect(request.header('cookie')).toBeUndefined();
    expect([...request.body]).toEqual([0xfe, 0xfe, 0x00, 0x80]);
  });

  it('knows who has signed it, by the gateway’s word', async () => {
    const { request } = await carry(SIGNED_POST);
    expect(request.principal).toBe('arn:aws:sts::123456789012:assumed-role/vm/i-0123456789abcdef0');
    expect((await carry(FROM_FUNCTION_URL)).request.principal).toBeUndefined();
  });

  it('is the same from the URL of a function: method, path as it came, every parameter and field', async () => {
    const { request } = await carry(FROM_FUNCTION_URL);
    expect(request).toMatchObject({ by: 'unsigned', method: 'HEAD', target: '/a%2Fb/dns-query?dns=AAAB&dns=AAAC' });
    expect(request.header('accept')).toBe('application/dns-json,application/dns-message');
    expect(request.body).toHaveLength(0);
  });

  it('takes gzip, whatever its client takes: a large table fits into no answer otherwise', async () => {
    const { request } = await carry(httpEvent({ headers: { 'accept-encoding': 'identity' } }));
    expect(request.header('accept-encoding')).toBe('gzip');
  });

  it('has a plain body as UTF-8, and none as no octets', async () => {
    expect((await carry(httpEvent({ method: 'POST', body: 'é' }))).request.body).toEqual(Buffer.from('é'));
    expect((await carry(httpEvent())).request.body).toHaveLength(0);
  });

  it.each([
    ['/dns-query?dns=AAAB&vips=0', false, '/dns-query?dns=AAAB&vips=0'],
    ['/dns-query', false, '/dns-query'],
    ['/dns-query?name=a%26b', false, '/dns-query?name=a%26b'],
    ['/dns-query%3Fdns=AAAB', false, '/dns-query%3Fdns=AAAB'],
    ['/dns-query%23?dns=AAAB', false, '/dns-query%23?dns=AAAB'],
    ['/iam/dns-query?dns=AAAB', true, '/dns-query?dns=AAAB'],
    ['/dns-query?dns=AAAB', true, '/dns-query?dns=AAAB'],
    ['/iamx/dns-query', true, '/iamx/dns-query'],
    ['/iam/iam/dns-query', true, '/iam/dns-query'],
    ['/iam/dns-query', false, '/iam/dns-query'],
  ])('for %s (signed: %s) asks for %s', async (target, signed, expected) => {
    expect((await carry(httpEvent({ target, signed }))).request.target).toBe(expected);
  });

  it.each([
    ['an authorizer of IAM', { iam: { userArn: 'arn:aws:iam::123456789012:user/a' } }, 'signed'],
    ['an authorizer without IAM', { lambda: { iam: true } }, 'unsigned'],
    ['an empty word of IAM', { iam: null }, 'unsigned'],
    ['no authorizer', undefined, 'unsigned'],
  ])('is signed by the word of the gateway only: %s', async (_, authorizer, by) => {
    const { requestContext, ...event } = httpEvent({
      target: '/iam/dns-query',
      headers: { authorization: 'AWS4-HMAC-SHA256 Credential=x' },
    });
    const context = { ...requestContext, ...(authorizer ? { authorizer } : {}) };
    expect((await carry({ ...event, requestContext: context as HttpEvent['requestContext'] })).request.by).toBe(by);
  });
});

describe('the result of a DoH response', () => {
  it('carries a DNS message in base64', async () => {
    const { result } = await carry(httpEvent());
    expect(result).toEqual({
      statusCode: 200,
      headers: { 'content-type': 'application/dns-message', 'content-length': '4' },
      body: OCTETS.toString('base64'),
      isBase64Encoded: true,
    });
  });

  it('carries what is compressed in base64, whatever it is', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const { result } = await carry(httpEvent(), { status: 200, headers, body: OCTETS });
    expect(result).toMatchObject({ headers, body: OCTETS.toString('base64'), isBase64Encoded: true });
  });

  it('carries text as it is', async () => {
    const { result } = await carry(httpEvent(), textResponse(400, 'nö'));
    expect(result).toMatchObject({ statusCode: 400, body: 'nö\n', isBase64Encoded: false });
  });

  it.each(['HEAD', 'OPTIONS'])('has no body where %s has none', async (method) => {
    const { result } = await carry(httpEvent({ method }), { ...wireResponse, body: new Uint8Array() });
    expect(result.body).toBe('');
  });

  it('is a rejection when the transaction meets a fault', async () => {
    const fault = new Error('bug');
    const broken = () => Promise.reject(fault);
    await expect(dohHandler({ signed: broken, unsigned: broken })(httpEvent())).rejects.toBe(fault);
  });
});

describe('an app for signed requests', () => {
  const app = new Hono();
  app.all('/apis/*', async (c) => {
    c.header('Warning', '299 - "one"', { append: true });
    c.header('Warning', '299 - "two"', { append: true });
    const { method, path, url } = c.req;
    return c.json({ method, path, query: new URL(url).search, type: c.req.header('x-type'), text: await c.req.text() });
  });
  const handler = signedAppHandler(app);

  it.each(['PATCH', 'POST', 'PUT', 'DELETE'])('gets method, path, query, fields and body of a %s', async (method) => {
    const event = httpEvent({
      method,
      target: '/apis/a?dryRun=All',
      headers: { 'x-type': 'ä' },
      body: 'kind: é\n',
      signed: true,
    });
    const result = await handler(event);
    expect(result).toMatchObject({ statusCode: 200, isBase64Encoded: false });
    const octets = Buffer.from('ä').toString('latin1');
    expect(JSON.parse(result.body)).toEqual({
      method,
      path: '/apis/a',
      query: '?dryRun=All',
      type: octets,
      text: 'kind: é\n',
    });
  });

  it('gets no body of a GET that has one', async () => {
    const result = await handler(httpEvent({ target: '/apis/a', body: 'x', signed: true }));
    expect(JSON.parse(result.body)).toMatchObject({ method: 'GET', text: '' });
  });

  it('is asked for the path, whatever the path looks like', async () => {
    const { body } = await handler({ ...httpEvent({ signed: true }), rawPath: '//evil.example/apis/a?b#c' });
    expect(body).toBe('404 Not Found');
    const { body: odd } = await handler({ ...httpEvent({ signed: true }), rawPath: '/apis/a?b#c' });
    expect(JSON.parse(odd)).toMatchObject({ path: '/apis/a%3Fb%23c', query: '' });
  });

  it('has the values of a repeated header field joined', async () => {
    const { headers } = await handler(httpEvent({ target: '/apis/a', signed: true }));
    expect(headers).toMatchObject({ 'content-type': 'application/json', warning: '299 - "one", 299 - "two"' });
  });

  it('has no body in a result of HEAD', async () => {
    const result = await handler(httpEvent({ method: 'HEAD', target: '/apis/a', signed: true }));
    expect(result).toMatchObject({ statusCode: 200, body: '' });
    expect(await handler(httpEvent({ method: 'HEAD' }))).toMatchObject({ statusCode: 401, body: '' });
  });

  it('is out of reach of an unsigned request', async () => {
    const result = await handler(httpEvent({ target: '/apis/a', headers: { authorization: 'Bearer x' } }));
    expect(result.statusCode).toBe(401);
    expect(JSON.parse(result.body)).toMatchObject({ kind: 'Status', status: 'Failure', reason: 'Unauthorized' });
  });
});
