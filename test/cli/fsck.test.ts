import { DeleteItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { fsckCommand } from '../../src/cli/fsck.ts';
import { hostItem } from '../../src/registry/keys.ts';
import { serviceEntry, TABLE } from '../support/registry.ts';
import { type OperationsServer, openOperationsServer } from './operations-server.ts';
import { type Ran, runVerb } from './run-verb.ts';

let server: OperationsServer;
beforeEach(async () => {
  server = await openOperationsServer();
  await server.registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }));
});
afterEach(() => server.close());

const fsck = (...words: readonly string[]): Promise<Ran> =>
  runVerb(fsckCommand, words, { environment: { MESHDOH_SERVER: server.url } });

const loseHost = () => {
  const { pk, sk } = hostItem('auto.internal');
  return server.registry.client.send(
    new DeleteItemCommand({ TableName: TABLE, Key: { pk: { S: pk }, sk: { S: sk } } }),
  );
};

describe('fsck', () => {
  it('says nothing on stdout of a registry that agrees', async () => {
    const { stdout, stderr, exitCode } = await fsck();
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 0 });
    expect(stderr).toMatch(/^looked at \d+ items: 0 errors, 0 leftovers, 0 repaired\n$/);
  });

  it('lists what disagrees, and exits 1', async () => {
    await loseHost();
    const { stdout, stderr, exitCode } = await fsck();
    expect(stdout).toMatch(/^SEVERITY {3}CODE +REPAIR +MESSAGE\n/);
    expect(stdout).toMatch(
      /^error {6}HolderUnaware {3}with --repair {3}240\.240\.\d+\.\d+ is live for host "auto\.internal"/m,
    );
    expect(stdout).toMatch(
      /^error {6}ClaimMissing {4}with --repair {3}host "auto\.internal" of ServiceEntry default\/auto/m,
    );
    expect(stderr).toMatch(/: 2 errors, 0 leftovers, 0 repaired\n$/);
    expect(exitCode).toBe(1);
  });

  it('--repair mends it, keeps the address, and exits 0', async () => {
    const { registry } = server;
    const vip = await registry.vipOf('auto.internal');
    await loseHost();
    const { stdout, stderr, exitCode } = await fsck('--repair', '-o', 'wide');
    expect(stdout).toMatch(/repaired .* host#auto\.internal\/host/);
    expect(stderr).toMatch(/: 0 errors, 0 leftovers, 2 repaired\n$/);
    expect(exitCode).toBe(0);
    expect(await registry.vipOf('auto.internal')).toBe(vip);
    expect((await fsck()).exitCode).toBe(0);
  });

  it.each([
    ['json', (text: string) => JSON.parse(text)],
    ['yaml', (text: string) => parse(text)],
  ])('-o %s prints findings for programs', async (format, read) => {
    await loseHost();
    const { findings } = read((await fsck('-o', format)).stdout);
    expect(findings[0]).toMatchObject({ code: 'HolderUnaware', severity: 'error', repair: 'possible' });
  });

  it('leftovers do not make it fail', async () => {
    const Item = { pk: { S: 'stray' }, sk: { S: 'item' } };
    await server.registry.client.send(new PutItemCommand({ TableName: TABLE, Item }));
    const { stdout, exitCode } = await fsck();
    expect(stdout).toMatch(/^leftover {3}UnknownItem {3}by hand /m);
    expect(exitCode).toBe(0);
  });
});

describe('POST /v1/fsck', () => {
  const post = (body: string, query = '') => fetch(`${server.url}/v1/fsck${query}`, { method: 'POST', body });

  it.each(['[]', '{', '{"continue": 7}', '{"continue": "nonsense"}'])('answers 400 to %s', async (body) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ kind: 'Status', reason: 'BadRequest' });
  });

  it('answers 413 to a body that no token is as large as', async () => {
    expect((await post('x'.repeat(1_100_000))).status).toBe(413);
  });

  it('asks for a credential where there is one', async () => {
    const closed = await openOperationsServer('secret');
    const ask = (headers: Record<string, string>) => fetch(`${closed.url}/v1/pools`, { headers });
    expect((await ask({})).status).toBe(401);
    expect((await ask({ authorization: 'Bearer secret' })).status).toBe(200);
    await closed.close();
  });
});
