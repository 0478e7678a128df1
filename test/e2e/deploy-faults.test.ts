import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EdeCode } from '../../src/dns/constants.ts';
import { answersOf, edeCodesOf, queryWire, rcodeIn } from '../support/dns.ts';
import { DohUpstream } from '../support/doh-upstream.ts';
import { httpsClient, type Received, type Send } from './aws/https-client.ts';
import { type LoopbackAws, startLoopbackAws } from './aws/loopback-aws.ts';
import { Project } from './aws/project.ts';
import type { TableFault } from './aws/table-gate.ts';

const DEPLOYER = JSON.parse(readFileSync(join(import.meta.dirname, '../../infra/deployer-policy.json'), 'utf8'));
const HOUR_MS = 3_600_000;
/** Longer than anything of the registry is believed without a look. */
const SOON_MS = 6_000;

let aws: LoopbackAws;
let project: Project;
let upstream: DohUpstream;
let send: Send;
let token: string;
let vip: string | undefined;

beforeAll(async () => {
  upstream = await DohUpstream.start();
  aws = await startLoopbackAws(upstream.ca ?? '');
  project = new Project(aws);
  const upstreams = JSON.stringify([{ url: upstream.url, bootstrap: ['127.0.0.1'] }]);
  const deployer = aws.account.createUser('deployer', DEPLOYER);
  await project.serverless(deployer, 'deploy', '--param', `upstreams=${upstreams}`);
  const [id = ''] = aws.httpApis.keys();
  send = httpsClient(await aws.open({ kind: 'httpApi', id }), aws.certificate.ca);
  await register();
}, 120_000);

afterAll(async () => {
  project.close();
  await aws.close();
  await upstream.close();
});

afterEach(async () => {
  aws.gate.fault = { kind: 'none' };
  // What a test has left behind is no other's.
  await aws.lambda.retire('meshdoh-dev-doh');
});

async function register(): Promise<void> {
  const signer = aws.account.createUser('operator', {
    Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*' }],
  });
  const headers = { 'content-type': 'application/json' };
  const post = (target: string, body: object) =>
    send({ method: 'POST', target, headers, body: JSON.stringify(body), signer });
  const spec = { hosts: ['auto.internal'], ports: [{ name: 'http', number: 80, protocol: 'HTTP' }], resolution: 'DNS' };
  const entry = { apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry', metadata: { name: 'auto' }, spec };
  const created = await post('/apis/networking.istio.io/v1/namespaces/default/serviceentries', entry);
  vip = JSON.parse(created.body.toString()).status.addresses[0].value;
  token = JSON.parse((await post('/v1/tokens', { label: 'test' })).body.toString()).token;
}

/** Any answer at all is within the time of the function, which the account keeps. */
function ask(qname: string): Promise<Received> {
  const dns = queryWire(qname, 'A', { edns: { udpSize: 1232 } }).toString('base64url');
  return send({ target: `/${token}/dns-query?dns=${dns}` });
}

const seen = ({ status, body, headers }: Received) => ({
  status,
  rcode: rcodeIn(body),
  answers: answersOf(body).map((line) => line.split(' ').at(-1)),
  ede: edeCodesOf(body),
  cache: headers['cache-control'],
});

const FRESH = { status: 200, rcode: 'NOERROR', ede: [] };
const STALE = { status: 200, rcode: 'NOERROR', ede: [EdeCode.staleAnswer] };
const UNKNOWN = { status: 200, rcode: 'SERVFAIL', ede: [EdeCode.notReady], cache: 'no-store' };

const FAULTS: readonly TableFault[] = [
  { kind: 'throttled' },
  { kind: 'slow', ms: 3_000 },
  { kind: 'silent' },
  { kind: 'unreachable' },
];

describe.each(FAULTS)('while DynamoDB is $kind', (fault) => {
  it('the last known state answers, what was never read is a SERVFAIL, and public names resolve', async () => {
    expect(seen(await ask('auto.internal'))).toMatchObject({ ...FRESH, answers: [vip] });
    aws.passTime(SOON_MS);
    aws.gate.fault = fault;
    expect(seen(await ask('auto.internal'))).toMatchObject({ ...STALE, answers: [vip] });
    expect(seen(await ask('never-read.auto.internal'))).toMatchObject(UNKNOWN);
    expect(seen(await ask(`${fault.kind}.example.org`))).toMatchObject({ status: 200, answers: ['192.0.2.1'] });
    expect(upstream.qnames.filter((qname) => qname.endsWith('internal'))).toEqual([]);
  }, 60_000);

  it('a new environment starts, says that it cannot know who asks, and recovers by itself', async () => {
    aws.gate.fault = fault;
    expect(seen(await ask('auto.internal'))).toMatchObject({ ...UNKNOWN, answers: [] });
    const { coldStarts } = aws.lambda;
    aws.gate.fault = { kind: 'none' };
    aws.passTime(SOON_MS);
    expect(seen(await ask('auto.internal'))).toMatchObject({ ...FRESH, answers: [vip] });
    expect(aws.lambda.coldStarts).toBe(coldStarts);
  }, 60_000);
});

describe('while the upstream is dead', () => {
  it('registered names resolve, what it said before is told for an hour, and the rest is a SERVFAIL', async () => {
    expect(seen(await ask('known.example.org'))).toMatchObject({ ...FRESH, answers: ['192.0.2.1'] });
    const { script } = upstream;
    upstream.script = () => 'hang';
    aws.passTime(120_000);
    expect(seen(await ask('known.example.org'))).toMatchObject({ ...STALE, answers: ['192.0.2.1'] });
    expect(seen(await ask('new.example.org'))).toMatchObject({
      status: 200,
      rcode: 'SERVFAIL',
      ede: [EdeCode.noReachableAuthority],
      cache: 'no-store',
    });
    expect(seen(await ask('auto.internal'))).toMatchObject({ ...FRESH, answers: [vip] });
    upstream.script = script;
  }, 60_000);
});

describe('an environment that was frozen for an hour', () => {
  it('uses none of its connections, of which all have gone without a word', async () => {
    await Promise.all([ask('auto.internal'), ask('first.example.org')]);
    const { coldStarts } = aws.lambda;
    aws.passTime(HOUR_MS);
    upstream.blackhole();
    aws.forgetConnections();
    expect(seen(await ask('auto.internal'))).toMatchObject({ ...FRESH, answers: [vip] });
    expect(seen(await ask('second.example.org'))).toMatchObject({ ...FRESH, answers: ['192.0.2.1'] });
    expect(aws.lambda.coldStarts).toBe(coldStarts);
    expect(aws.lostRequests()).toBe(0);
  }, 60_000);
});
