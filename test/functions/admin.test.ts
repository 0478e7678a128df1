import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpHandler } from '../../src/http/lambda-adapter.ts';
import { type Deployment, deploy } from '../support/deployment.ts';
import { answersOf, queryWire } from '../support/dns.ts';
import { bodyOf, type EventContent, httpEvent } from '../support/http-event.ts';

const ADMIN = new URL('../../functions/admin.ts', import.meta.url).href;
const DOH = new URL('../../functions/doh.ts', import.meta.url).href;

const COLLECTION = '/apis/networking.istio.io/v1/namespaces/default/serviceentries';
const MANIFEST = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: external-auto, namespace: default }
spec:
  hosts: [auto.internal]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: DNS
`;
const APPLY: EventContent = {
  method: 'PATCH',
  target: `${COLLECTION}/external-auto`,
  headers: { 'content-type': 'application/apply-patch+yaml' },
  body: MANIFEST,
  signed: true,
};

let deployment: Deployment;
let handler: HttpHandler;

beforeAll(async () => {
  deployment = await deploy();
  handler = await deployment.start(ADMIN);
});

afterAll(() => deployment.close());

describe('the ServiceEntry API as a function', () => {
  it('takes a signed apply, and the DoH function answers with the address it gave', async () => {
    const applied = await handler(httpEvent(APPLY));
    expect(applied).toMatchObject({ statusCode: 201, isBase64Encoded: false });
    const { status } = JSON.parse(applied.body);
    const vip = status.addresses[0].value;
    const doh = await deployment.start(DOH);
    const dns = queryWire('auto.internal').toString('base64url');
    const answer = await doh(httpEvent({ target: `/iam/dns-query?dns=${dns}`, signed: true }));
    expect(answersOf(bodyOf(answer))).toEqual([`auto.internal 300 A ${vip}`]);
  });

  it('lists and deletes what was applied', async () => {
    await handler(httpEvent(APPLY));
    const list = async () => JSON.parse((await handler(httpEvent({ target: COLLECTION, signed: true }))).body).items;
    expect(await list()).toHaveLength(1);
    const deleted = await handler(httpEvent({ ...APPLY, method: 'DELETE', body: '' }));
    expect(deleted.statusCode).toBe(200);
    expect(await list()).toEqual([]);
  });

  it('refuses an unsigned request, whatever it carries', async () => {
    const headers = { ...APPLY.headers, authorization: 'Bearer anything' };
    const { statusCode } = await handler(httpEvent({ ...APPLY, headers, signed: false }));
    expect(statusCode).toBe(401);
  });

  it('does not start with pools that overlap those the table knows', async () => {
    const start = deployment.start(ADMIN, { MESHDOH_POOLS: '{"ipv4": "240.240.128.0/17", "ipv6": "2001:2:1::/48"}' });
    await expect(start).rejects.toThrow('overlaps 240.240.0.0/16');
  });
});
