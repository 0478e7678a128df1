import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeResponse } from '../../src/dns/response.ts';
import { cacheSeconds } from '../../src/dns/walk.ts';
import type { Credentials } from '../../src/http/credentials.ts';
import { adminTokenCredentials, openCredentials } from '../../src/http/local-credentials.ts';
import { createExchange } from '../../src/resolve/exchange.ts';
import type { Resolver } from '../../src/resolve/resolver.ts';
import { answersOf, message, name, queryWire, rcodeIn } from '../support/dns.ts';
import { CARRIERS, type Driver, openDriver, type Reply } from '../support/doh-driver.ts';
import { DEFAULT_VIEW } from '../support/registry.ts';

/** `a.example` has an address with TTL 300, `gone.example` does not exist for 30 s, `broken.example` fails. */
const resolver: Resolver = {
  resolve: async (query, view) => {
    const qname = query.question?.qname ?? name('.');
    const soa = {
      type: 'SOA',
      owner: qname,
      ttl: 30,
      mname: qname,
      rname: qname,
      serial: 1,
      refresh: 1,
      retry: 1,
      expire: 1,
      minimum: 30,
    } as const;
    const respond = (content: Parameters<typeof encodeResponse>[1]) => {
      const wire = encodeResponse(query, content);
      return { wire, source: 'registry' as const, maxAge: cacheSeconds(wire) };
    };
    if (qname === 'broken.example') return respond({ rcode: 2 });
    if (qname !== 'a.example') return respond({ rcode: 3, authorities: [soa] });
    const address = view.vips === false ? '192.0.2.1' : '240.240.1.1';
    return respond({ rcode: 0, answers: [{ type: 'A', owner: qname, ttl: 300, address }] });
  },
};

const TOKEN = 'an-administrators-token';
const MESSAGE = 'application/dns-message';
const ask = (qname: string) => queryWire(qname, 'A');
const get = (wire: Buffer) => `/dns-query?dns=${wire.toString('base64url')}`;
const post = (body: Uint8Array, headers = {}) => ({
  method: 'POST',
  headers: { 'content-type': MESSAGE, ...headers },
  body,
});
const text = ({ body }: Reply) => body.toString().trim();

const exchange = createExchange(resolver, undefined);

describe.each(CARRIERS)('RFC 8484 by %s', (carrier) => {
  let open: Driver;
  let closed: Driver;

  beforeAll(async () => {
    const tokens: Credentials = adminTokenCredentials(TOKEN, DEFAULT_VIEW);
    open = await openDriver(carrier, exchange, openCredentials(DEFAULT_VIEW));
    closed = await openDriver(carrier, exchange, tokens);
  });
  afterAll(() => Promise.all([open.close(), closed.close()]));

  it('section 4.1: GET and POST give the same octets', async () => {
    const byGet = await open.send({ target: get(ask('a.example')) });
    const byPost = await open.send(post(ask('a.example'), { accept: '*/*' }));
    expect([byGet.status, byPost.status]).toEqual([200, 200]);
    expect(byGet.headers['content-type']).toBe(MESSAGE);
    expect(byGet.body.equals(byPost.body)).toBe(true);
    expect(byGet.headers['content-length']).toBe(String(byGet.body.length));
    expect(answersOf(byGet.body)).toEqual(['a.example 300 A 240.240.1.1']);
  });

  it('section 4.2.1: a DNS error is still HTTP 200, and is not cached', async () => {
    const failed = await open.send({ target: get(ask('broken.example')) });
    expect([failed.status, rcodeIn(failed.body), failed.headers['cache-control']]).toEqual([
      200,
      'SERVFAIL',
      'no-store',
    ]);
  });

  it('section 5.1: freshness is the smallest TTL, of a negative answer the minimum of its SOA', async () => {
    expect((await open.send({ target: get(ask('a.example')) })).headers['cache-control']).toBe('max-age=300');
    expect((await open.send({ target: get(ask('gone.example')) })).headers['cache-control']).toBe('max-age=30');
  });

  it('what a credential chose is private to it', async () => {
    const authorized = { authorization: `Bearer ${TOKEN}` };
    const { headers } = await closed.send({ target: get(ask('a.example')), headers: authorized });
    expect(headers['cache-control']).toBe('private, max-age=300');
    expect(headers.vary).toContain('Authorization');
  });

  it('padding of base64url is tolerated', async () => {
    const wire = ask('a.example');
    const padded = `/dns-query?dns=${wire.toString('base64').replaceAll('+', '-').replaceAll('/', '_')}`;
    expect((await open.send({ target: padded })).status).toBe(200);
  });

  it.each([
    ['missing', '/dns-query', /"dns" parameter is missing/],
    ['empty', '/dns-query?dns=', /"dns" parameter is missing/],
    ['repeated', '/dns-query?dns=AAAA&dns=AAAA', /more than one/],
    ['not base64url', '/dns-query?dns=a*b', /not base64url/],
    ['of an impossible length', '/dns-query?dns=AAAAA', /not base64url/],
    ['too short', '/dns-query?dns=AAAA', /shorter than a DNS header/],
    [
      'a response',
      `/dns-query?dns=${Buffer.from('00008000000100000000000000000100 01'.replace(' ', ''), 'hex').toString('base64url')}`,
      /QR is set/,
    ],
    ['combined with a name', '/dns-query?dns=AAAA&name=a.example', /exclude each other/],
    ['beside an unknown narrowing', '/dns-query?dns=AAAA&vips=yes', /"vips" takes 0 or 1/],
  ])('400 with one line: dns %s', async (_what, target, reason) => {
    const reply = await open.send({ target });
    expect(reply.status).toBe(400);
    expect(text(reply)).toMatch(reason);
    expect(text(reply)).not.toContain('\n');
    expect(reply.headers['cache-control']).toBe('no-store');
  });

  it('400 for a body that is no query, and for octets after it', async () => {
    expect((await open.send(post(Buffer.from('hello')))).status).toBe(400);
    expect((await open.send(post(Buffer.concat([ask('a.example'), Buffer.from('x')])))).status).toBe(400);
    expect((await open.send(post(Buffer.alloc(0)))).status).toBe(400);
  });

  it('405 with Allow for other methods', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      const reply = await open.send({ method });
      expect([reply.status, reply.headers.allow]).toEqual([405, 'GET, HEAD, POST, OPTIONS']);
    }
  });

  it('HEAD is GET without the body', async () => {
    const target = get(ask('a.example'));
    const [head, full] = [await open.send({ method: 'HEAD', target }), await open.send({ target })];
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(head.headers['content-length']).toBe(full.headers['content-length']);
    expect(head.headers['cache-control']).toBe(full.headers['cache-control']);
  });

  it('415, 413 and 414 for what a query cannot be', async () => {
    expect((await open.send({ ...post(ask('a.example')), headers: { 'content-type': 'text/plain' } })).status).toBe(
      415,
    );
    expect((await open.send(post(Buffer.alloc(4097)))).status).toBe(413);
    expect((await open.send({ target: `/dns-query?dns=${'A'.repeat(6000)}` })).status).toBe(414);
  });

  it.each([
    ['*/*', 200, MESSAGE],
    ['application/*', 200, MESSAGE],
    ['text/html, application/dns-message;q=0.5', 200, MESSAGE],
    ['application/dns-json', 200, 'application/dns-json'],
    ['application/dns-message;q=0, application/dns-json', 200, 'application/dns-json'],
    ['text/html', 406, 'text/plain; charset=utf-8'],
  ])('Accept: %s is %i %s', async (accept, status, type) => {
    const reply = await open.send({ target: get(ask('a.example')), headers: { accept } });
    expect([reply.status, reply.headers['content-type']]).toEqual([status, type]);
  });

  it('JSON for people', async () => {
    const reply = await open.send({ target: '/dns-query?name=a.example&type=A' });
    expect(reply.headers['content-type']).toBe('application/dns-json');
    expect(JSON.parse(text(reply))).toMatchObject({
      Status: 0,
      RD: true,
      RA: true,
      Question: [{ name: 'a.example', type: 1 }],
      Answer: [{ name: 'a.example', type: 1, TTL: 300, data: '240.240.1.1' }],
    });
    expect((await open.send({ target: '/dns-query?name=a..example' })).status).toBe(400);
    expect((await open.send({ target: '/dns-query?name=a.example&type=NOPE' })).status).toBe(400);
  });

  it('a request narrows its view', async () => {
    const reply = await open.send({ target: `${get(ask('a.example'))}&vips=0` });
    expect(answersOf(reply.body)).toEqual(['a.example 300 A 192.0.2.1']);
  });

  it('404 for an unknown path and for an unknown token, identical', async () => {
    const unknownPath = await closed.send({ target: '/nothing/here' });
    const unknownToken = await closed.send({ target: `/nobodys-token${get(ask('a.example'))}` });
    expect(unknownPath.status).toBe(404);
    expect(unknownToken).toEqual(unknownPath);
  });

  it('401 with a challenge without a token, and with a wrong one', async () => {
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: 'Basic eDp5' }]) {
      const reply = await closed.send({ target: get(ask('a.example')), headers });
      expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'Bearer realm="meshdoh"']);
    }
    const stray = await open.send({ target: get(ask('a.example')), headers: { authorization: 'Bearer wrong' } });
    expect(stray.status).toBe(200);
  });

  it('a preflight is answered; other origins are let in only where a token is needed', async () => {
    const preflight = { method: 'OPTIONS', headers: { origin: 'https://page.example' } };
    expect(await closed.send(preflight)).toMatchObject({
      status: 204,
      headers: { 'access-control-allow-origin': '*' },
    });
    const local = await open.send(preflight);
    expect(local.status).toBe(204);
    expect(local.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('keeps the id and the question of the query', async () => {
    const wire = queryWire('A.eXample', 'A', { id: 0xfefe, keepCase: true });
    const { body } = await open.send(post(wire));
    expect(body.readUInt16BE(0)).toBe(0xfefe);
    expect(body.subarray(12, 12 + 15).equals(wire.subarray(12, 12 + 15))).toBe(true);
    expect(message(body).ra).toBe(true);
  });
});
