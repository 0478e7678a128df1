import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { BatchWriteItemCommand, CreateTableCommand, ScanCommand, waitUntilTableExists } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readShimSettings } from '../../src/shim/settings.ts';
import { Shim } from '../../src/shim/shim.ts';
import { answersOf, queryWire, rcodeIn } from '../support/dns.ts';
import { DohUpstream } from '../support/doh-upstream.ts';
import { askUdp } from '../support/running-shim.ts';
import { httpsClient, type Received, type Send, type Sent } from './aws/https-client.ts';
import { startInstanceMetadata } from './aws/instance-metadata.ts';
import { type LoopbackAws, startLoopbackAws } from './aws/loopback-aws.ts';
import type { PolicyDocument } from './aws/policy.ts';
import { Project } from './aws/project.ts';
import type { AccessKey } from './aws/signature.ts';

const ROOT = join(import.meta.dirname, '../..');
const DNS_MESSAGE = 'application/dns-message';
const ENTRIES = '/apis/networking.istio.io/v1/namespaces/default/serviceentries';
const SERVICE_ENTRY = { apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry' };
/** For what starts commands, in milliseconds. */
const SLOW = 120_000;
const JSON_BODY = { 'content-type': 'application/json' };
const HOSTS = ['auto.internal', 'tcp-echo.external-1.svc.cluster.local', 'tcp-echo.external-2.svc.cluster.local'];

const DEPLOYER = JSON.parse(readFileSync(join(ROOT, 'infra/deployer-policy.json'), 'utf8')) as PolicyDocument;

const QUIET = { warn: () => undefined, info: () => undefined, debug: () => undefined };

const invokes = (path: string): PolicyDocument => ({
  Statement: [
    { Effect: 'Allow', Action: 'execute-api:Invoke', Resource: `arn:aws:execute-api:*:*:*/$default/*/${path}` },
  ],
});

const hasCurl = (() => {
  try {
    return execFileSync('curl', ['--version']).includes('HTTP2');
  } catch {
    return false;
  }
})();

let aws: LoopbackAws;
let project: Project;
let upstream: DohUpstream;
let deployer: AccessKey;
let operator: AccessKey;
let vm: AccessKey;
let url: string;
let send: Send;
let token: string;
let vips: readonly string[];

beforeAll(async () => {
  upstream = await DohUpstream.start();
  aws = await startLoopbackAws(upstream.ca ?? '');
  project = new Project(aws);
  deployer = aws.account.createUser('deployer', DEPLOYER);
  operator = aws.account.createUser('operator', invokes('*'));
  vm = aws.account.assumeRole(aws.account.putRole('vm', [invokes('iam/*')]), 'i-0123456789abcdef0');
}, SLOW);

afterAll(async () => {
  project.close();
  await aws.close();
  await upstream.close();
});

const deploy = (...args: readonly string[]) => project.serverless(deployer, 'deploy', ...args);
const upstreams = () => ['--param', `upstreams=${JSON.stringify([{ url: upstream.url, bootstrap: ['127.0.0.1'] }])}`];

/** Opens the front door of the API that the last deployment made. */
async function openApi(): Promise<void> {
  const id = [...aws.httpApis.keys()].at(-1);
  if (id === undefined) throw new Error('there is no API');
  url = await aws.open({ kind: 'httpApi', id });
  send = httpsClient(url, aws.certificate.ca);
}

/** Options of `meshdoh` for this deployment. */
const signedTo = () => ['--server', url, '--cacert', project.ca, '--auth', 'iam'];

const asJson = ({ body }: Received) => JSON.parse(body.toString());
const dnsTarget = (qname: string, type = 'A') => `?dns=${queryWire(qname, type).toString('base64url')}`;
const withToken = (target: string) => `/${token}/dns-query${target}`;
const administer = (sent: Sent) => send({ signer: operator, ...sent });

async function addressOf(host: string): Promise<string> {
  const answer = await send({ target: withToken(dnsTarget(host)) });
  return answersOf(answer.body)[0]?.split(' ').at(-1) ?? rcodeIn(answer.body);
}

const addressesOf = (): Promise<string[]> => Promise.all(HOSTS.map(addressOf));

/** All that functions have written to their logs. */
const logLines = (): string[] => [...aws.lambda.logs.values()].flat();

describe('a deployment to prod', () => {
  it(
    'needs the credentials of somebody with the policy for deployers, and nothing else',
    async () => {
      const said = await deploy('--stage', 'prod', ...upstreams());
      expect(said).toContain('Service deployed to stack meshdoh-prod');
      expect(aws.account.refused).toEqual([]);
      await openApi();
    },
    SLOW,
  );

  it(
    'is administered with signed requests: the examples',
    async () => {
      const proxy = await project.proxy(operator, url);
      const applied = await project.meshdoh(operator, 'apply', '-f', 'examples/', '--server', proxy);
      expect(applied).toMatchObject({ code: 0, stderr: '' });
      expect(applied.stdout.trim().split('\n')).toHaveLength(4);
      const listed = await administer({ target: ENTRIES });
      expect(asJson(listed).items).toHaveLength(4);
      expect(asJson(await administer({ target: `${ENTRIES}/external-auto` })).spec.hosts).toEqual(['auto.internal']);
    },
    SLOW,
  );

  it('takes an entry that no single transaction can carry', async () => {
    const hosts = Array.from({ length: 120 }, (_, index) => `host-${index}.large.internal`);
    const spec = { hosts, ports: [{ name: 'http', number: 80, protocol: 'HTTP' }], resolution: 'DNS' };
    const body = JSON.stringify({ ...SERVICE_ENTRY, metadata: { name: 'large' }, spec });
    const created = await administer({ method: 'POST', target: ENTRIES, headers: JSON_BODY, body });
    expect(created.status).toBe(201);
    expect((await administer({ method: 'DELETE', target: `${ENTRIES}/large` })).status).toBe(200);
  });

  it(
    'gives tokens to clients',
    async () => {
      const args = ['token', 'create', '--for', 'vm', '--label', 'a machine', '-o', 'json', ...signedTo()];
      const created = await project.meshdoh(operator, ...args);
      expect(created).toMatchObject({ code: 0 });
      token = JSON.parse(created.stdout).token;
    },
    SLOW,
  );

  it('answers GET, POST and HEAD with octets, and people with JSON', async () => {
    const got = await send({ target: withToken(dnsTarget('auto.internal')) });
    expect(got).toMatchObject({ status: 200, headers: { 'content-type': DNS_MESSAGE } });
    expect(got.headers['cache-control']).toBe('private, max-age=300');
    const [answer = ''] = answersOf(got.body);
    expect(answer).toMatch(/^auto\.internal 300 A 240\.240\.\d+\.\d+$/);
    const body = queryWire('auto.internal', 'A', { id: 0xfefe });
    const posted = await send({
      method: 'POST',
      target: withToken(''),
      headers: { 'content-type': DNS_MESSAGE },
      body,
    });
    expect(posted.body.readUInt16BE()).toBe(0xfefe);
    expect(answersOf(posted.body)).toEqual([answer]);
    const head = await send({ method: 'HEAD', target: withToken(dnsTarget('auto.internal')) });
    expect(head).toMatchObject({ status: 200, headers: { 'content-type': DNS_MESSAGE } });
    expect(head.body).toHaveLength(0);
    const json = await send({ target: withToken('?name=address.internal') });
    expect(asJson(json)).toMatchObject({ Status: 0, Answer: [{ data: '198.51.100.1' }] });
    vips = await addressesOf();
    expect(new Set(vips).size).toBe(3);
  });

  it('answers a preflight, and refuses what is not DNS over HTTPS', async () => {
    const preflight = await send({ method: 'OPTIONS', target: '/dns-query' });
    expect(preflight).toMatchObject({ status: 204, headers: { 'access-control-allow-origin': '*' } });
    const put = await send({ method: 'PUT', target: withToken(''), body: 'x' });
    expect(put).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, POST, OPTIONS' } });
    const text = await send({
      method: 'POST',
      target: withToken(''),
      headers: { 'content-type': 'text/plain' },
      body: 'é',
    });
    expect(text.status).toBe(415);
    const long = Buffer.alloc(4097);
    const large = await send({
      method: 'POST',
      target: withToken(''),
      headers: { 'content-type': DNS_MESSAGE },
      body: long,
    });
    expect(large.status).toBe(413);
  });

  it('forwards what is nobody’s, and nothing that is', async () => {
    expect(await addressOf('www.example.org')).toBe('192.0.2.1');
    expect(await addressOf('nothing.internal')).toBe('NXDOMAIN');
    expect(upstream.qnames.filter((qname) => qname.includes('internal'))).toEqual([]);
  });

  it.runIf(hasCurl)('resolves names for curl --doh-url', async () => {
    const page = http.createServer((_, response) => response.end('the page')).listen(0, '127.0.0.1');
    await once(page, 'listening');
    const { port } = page.address() as AddressInfo;
    const spec = {
      hosts: ['page.internal'],
      addresses: ['127.0.0.1'],
      ports: [{ name: 'http', number: port, protocol: 'HTTP' }],
    };
    const entry = { ...SERVICE_ENTRY, metadata: { name: 'page' }, spec };
    const created = await administer({
      method: 'POST',
      target: ENTRIES,
      headers: JSON_BODY,
      body: JSON.stringify(entry),
    });
    expect(created.status).toBe(201);
    aws.passTime(6_000);
    const args = ['-sS', '--doh-url', `${url}/${token}/dns-query`, '--cacert', project.ca];
    const { stdout } = await promisify(execFile)('curl', [...args, `http://page.internal:${port}/`]);
    expect(stdout).toBe('the page');
    page.close();
    await administer({ method: 'DELETE', target: `${ENTRIES}/page` });
  });

  it('tells a client the table of its view, once', async () => {
    const target = `/${token}/v1/table`;
    const first = await send({ target });
    expect(first).toMatchObject({ status: 200, headers: { 'content-encoding': 'gzip' } });
    const { hosts } = JSON.parse(gunzipSync(first.body).toString());
    expect(hosts.map(({ host }: { host: string }) => host)).toEqual(expect.arrayContaining(HOSTS));
    const again = await send({ target, headers: { 'if-none-match': first.headers.etag ?? '' } });
    expect(again).toMatchObject({ status: 304, headers: { etag: first.headers.etag } });
    expect(again.body).toHaveLength(0);
  });

  it('tells a wrong token from an unknown path with not one octet', async () => {
    const [last = ''] = token.slice(-1);
    const wrong = `${token.slice(0, -1)}${last === 'a' ? 'b' : 'a'}`;
    const paths = [
      '/nothing/here',
      `/${wrong}/dns-query`,
      '/mdh_short/dns-query',
      '/iam/dns-query/',
      `/${wrong}/v1/table`,
    ];
    const replies = await Promise.all(paths.map((path) => send({ target: path })));
    const seen = replies.map(({ status, headers: { date, ...headers }, body }) => [status, headers, body.toString()]);
    expect(new Set(seen.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(replies[0]?.status).toBe(404);
    expect((await send({ target: '/dns-query' })).status).toBe(401);
  });

  it('lets nobody administer without a signature that is good, and theirs to use', async () => {
    const refused = { status: 403, body: Buffer.from('{"message":"Forbidden"}') };
    expect(await send({ target: ENTRIES })).toMatchObject(refused);
    expect(await send({ target: ENTRIES, headers: { authorization: `Bearer ${token}` } })).toMatchObject(refused);
    expect(await send({ target: ENTRIES, signer: { ...operator, secret: 'wrong' } })).toMatchObject(refused);
    const before = aws.account.refused.length;
    expect(await send({ target: '/v1/pools', signer: vm })).toMatchObject(refused);
    expect(aws.account.refused.splice(before).map(({ action }) => action)).toEqual(['execute-api:Invoke']);
  });

  it('answers machines by their role, each with the view that was given to it', async () => {
    const ask = () => send({ target: `/iam/dns-query${dnsTarget('auto.internal')}`, signer: vm });
    expect(answersOf((await ask()).body)).toEqual([`auto.internal 300 A ${vips[0]}`]);
    const arn = encodeURIComponent('arn:aws:iam::123456789012:role/vm');
    const body = JSON.stringify({ label: 'elsewhere', view: { vips: false } });
    const put = await administer({ method: 'PUT', target: `/v1/principals/${arn}`, headers: JSON_BODY, body });
    expect(put.status, put.body.toString()).toBeLessThan(300);
    aws.passTime(6_000);
    expect(answersOf((await ask()).body)).toEqual([]);
    const table = await send({ target: '/iam/v1/table', signer: vm });
    expect(JSON.parse(gunzipSync(table.body).toString()).view).toMatchObject({ vips: false });
  });

  it(
    'serves a shim on a machine with a role, which has no secret on its disk',
    async () => {
      const role = aws.account.putRole('fleet', [invokes('iam/*')]);
      const metadata = await startInstanceMetadata(aws.account.assumeRole(role, 'i-0fedcba9876543210'));
      const text = `
      listen = 127.0.0.1:0
      endpoint = ${url}/iam/dns-query
      auth = iam
      ca-file = ${project.ca}
      state-dir = ${project.folder}/shim
      vips = off
      fallback = none
      metrics-listen = off`;
      const read = readShimSettings({ file: { name: 'shim.conf', text } });
      if (!read.ok) throw new Error(read.errors.join('\n'));
      const originalServers = async () => ({ servers: [], search: [] });
      const { settings } = read;
      const shim = await Shim.open({ settings, log: QUIET, metadataEndpoint: metadata.url, originalServers });
      const [at] = shim.addresses;
      if (!at) throw new Error('the shim listens nowhere');
      const answer = await askUdp(at, queryWire('address.internal'));
      expect(answersOf(answer)).toEqual(['address.internal 30 A 198.51.100.1']);
      expect(answersOf(await askUdp(at, queryWire('shim.example.org')))).toHaveLength(1);
      await shim.close();
      metadata.close();
    },
    SLOW,
  );

  it(
    'is what kubectl asks of a server, behind the proxy that signs',
    async () => {
      const proxy = await project.proxy(operator, url);
      const paths = ['/version', '/api', '/apis', '/apis/networking.istio.io/v1', '/openapi/v2', ENTRIES];
      const answers = await Promise.all(paths.map((path) => fetch(`${proxy}${path}`)));
      expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 200));
      for (const target of paths) expect((await send({ target })).status).toBe(403);
    },
    SLOW,
  );

  it('finds a revoked token nobody’s, soon after', async () => {
    const body = JSON.stringify({ label: 'for a moment' });
    const other = asJson(await administer({ method: 'POST', target: '/v1/tokens', headers: JSON_BODY, body }));
    const target = `/${other.token}/dns-query?name=auto.internal`;
    expect((await send({ target })).status).toBe(200);
    await administer({ method: 'DELETE', target: `/v1/tokens/${other.id}` });
    aws.passTime(6_000);
    expect((await send({ target })).status).toBe(404);
  });

  it('is checked by fsck', async () => {
    const checked = await administer({ method: 'POST', target: '/v1/fsck?repair=true' });
    const findings: { severity: string }[] = asJson(checked).findings;
    expect(findings.filter(({ severity }) => severity !== 'leftover')).toEqual([]);
  });

  it('measures itself', async () => {
    await aws.runSchedules();
    const measured = logLines().map((line) => JSON.parse(line));
    const names = new Set(measured.flatMap((line) => (line._aws ? Object.keys(line) : [])));
    expect([...names]).toEqual(expect.arrayContaining(['Queries', 'NOERROR', 'FromRegistry', 'Latency', 'PoolTaken']));
  });
});

describe('the next deployment to prod', () => {
  it(
    'changes code and settings, and no virtual IP',
    async () => {
      const codeOf = () => aws.lambda.describe('meshdoh-prod-doh').CodeSha256;
      const before = codeOf();
      project.edit('src/http/message.ts', "'not found'", "'nothing here'");
      project.edit('infra/alarms.yml', 'Over 5 %', 'More than 5 %');
      project.edit('infra/dashboard.yml', '"Virtual IPs"', '"Pool"');
      project.edit('serverless.yml', 'rate(15 minutes)', 'rate(10 minutes)');
      await deploy(
        '--stage',
        'prod',
        ...upstreams(),
        ...['dohRate=900', 'maxReadUnits=9000'].flatMap((p) => ['--param', p]),
      );
      expect(codeOf()).not.toBe(before);
      expect((await send({ target: '/x' })).body.toString()).toBe('nothing here\n');
      expect(await addressesOf()).toEqual(vips);
    },
    SLOW,
  );
});

describe('a removal', () => {
  it(
    'leaves the table of prod, and nothing else',
    async () => {
      await project.serverless(deployer, 'remove', '--stage', 'prod');
      expect(aws.cloudFormation.stacks.size).toBe(0);
      expect(aws.httpApis.size).toBe(0);
      expect(
        (await aws.tables.send(new ScanCommand({ TableName: 'meshdoh-prod', Select: 'COUNT' }))).Count,
      ).toBeGreaterThan(4);
    },
    SLOW,
  );

  it(
    'keeps the table from a deployment that would make one of its name',
    async () => {
      await expect(deploy('--stage', 'prod', ...upstreams())).rejects.toThrow("'meshdoh-prod' already exists");
    },
    SLOW,
  );

  it(
    'is undone by a deployment on the table that was kept: same virtual IPs, same tokens',
    async () => {
      await deploy('--stage', 'prod', ...upstreams(), '--param', 'existingTable=meshdoh-prod');
      await openApi();
      expect(await addressesOf()).toEqual(vips);
    },
    SLOW,
  );
});

describe('a restored backup', () => {
  it(
    'goes into service as an existing table, with every virtual IP',
    async () => {
      await restore('meshdoh-prod', 'meshdoh-restored');
      await deploy('--stage', 'prod', ...upstreams(), '--param', 'existingTable=meshdoh-restored');
      expect(await addressesOf()).toEqual(vips);
      const listed = await administer({ target: ENTRIES });
      expect(asJson(listed).items).toHaveLength(4);
    },
    SLOW,
  );
});

describe('a deployment to dev behind function URLs', () => {
  const params = ['frontDoor=function-url', 'reservedConcurrency=20'].flatMap((param) => ['--param', param]);
  const open = async (name: string): Promise<Send> => {
    const [id = ''] = [...aws.functionUrls].find(([, one]) => one.functionName === `meshdoh-dev-${name}`) ?? [];
    return httpsClient(await aws.open({ kind: 'functionUrl', id }), aws.certificate.ca);
  };

  it(
    'answers DoH to tokens, and lets signed requests administer',
    async () => {
      await deploy(...upstreams(), ...params);
      const [doh, admin] = await Promise.all([open('doh'), open('admin')]);
      const signer = aws.account.createUser('operator-of-url', {
        Statement: [{ Effect: 'Allow', Action: 'lambda:InvokeFunctionUrl', Resource: '*:function:meshdoh-dev-admin' }],
      });
      const post = (target: string, body: object) =>
        admin({ method: 'POST', target, headers: JSON_BODY, body: JSON.stringify(body), signer, service: 'lambda' });
      const spec = {
        hosts: ['auto.internal'],
        ports: [{ name: 'http', number: 80, protocol: 'HTTP' }],
        resolution: 'DNS',
      };
      const created = await post(ENTRIES, { ...SERVICE_ENTRY, metadata: { name: 'auto' }, spec });
      const other = asJson(await post('/v1/tokens', { label: 'url' })).token;
      const answer = await doh({ target: `/${other}/dns-query${dnsTarget('auto.internal')}` });
      const vip = asJson(created).status.addresses[0].value;
      expect(answersOf(answer.body)).toEqual([`auto.internal 300 A ${vip}`]);
      expect((await admin({ target: ENTRIES })).status).toBe(403);
      expect(
        (await doh({ target: `/iam/dns-query${dnsTarget('auto.internal')}`, signer, service: 'lambda' })).status,
      ).toBe(404);
    },
    SLOW,
  );

  it(
    'leaves nothing when it is removed',
    async () => {
      await project.serverless(deployer, 'remove', ...params);
      await expect(aws.tables.send(new ScanCommand({ TableName: 'meshdoh-dev' }))).rejects.toThrow('not found');
      expect(aws.functionUrls.size).toBe(0);
    },
    SLOW,
  );
});

describe('after all that', () => {
  it('nobody was refused what they needed', () => {
    expect(aws.account.refused).toEqual([]);
  });

  it('the policy for deployers allows nothing that no deployment needed', () => {
    expect(aws.account.policyOf(deployer.arn)?.unused).toEqual([]);
  });

  it.each(['Doh', 'Admin', 'Pools'])('the role of %s allows nothing that it did not need', (name) => {
    const role = `arn:aws:iam::123456789012:role/meshdoh-prod-us-east-1-${name}Role`;
    const used = aws.account.used.get(role);
    expect(aws.account.policyOf(role)?.actions.filter((action) => !used?.has(action))).toEqual([]);
  });

  it('the logs hold neither names nor tokens, and nothing but JSON', () => {
    const lines = logLines();
    for (const line of lines) expect(() => JSON.parse(line), line).not.toThrow();
    const text = lines.join('\n');
    for (const secret of [token, 'mdh_', 'internal', 'example', ...vips]) expect(text).not.toContain(secret);
  });
});

/** As a restore of a backup does: a new table with the items of the old one. */
async function restore(from: string, to: string): Promise<void> {
  const key = (name: string, KeyType: 'HASH' | 'RANGE') => ({ AttributeName: name, KeyType });
  await aws.tables.send(
    new CreateTableCommand({
      TableName: to,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
      KeySchema: [key('pk', 'HASH'), key('sk', 'RANGE')],
    }),
  );
  await waitUntilTableExists({ client: aws.tables, maxWaitTime: 10, minDelay: 1 }, { TableName: to });
  const { Items = [] } = await aws.tables.send(new ScanCommand({ TableName: from }));
  for (let at = 0; at < Items.length; at += 25) {
    const requests = Items.slice(at, at + 25).map((Item) => ({ PutRequest: { Item } }));
    await aws.tables.send(new BatchWriteItemCommand({ RequestItems: { [to]: requests } }));
  }
}
