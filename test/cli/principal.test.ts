import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { principalCommand } from '../../src/cli/principal.ts';
import { type OperatorServer, openOperatorServer } from '../support/operator-server.ts';
import { type Ran, runVerb } from './run-verb.ts';

const ROLE = 'arn:aws:iam::123456789012:role/vm';

let server: OperatorServer;
beforeAll(async () => {
  server = await openOperatorServer();
});
afterAll(() => server.close());

const principal = (...words: readonly string[]): Promise<Ran> =>
  runVerb(principalCommand, words, { environment: { MESHDOH_SERVER: server.url } });

const listed = async () => JSON.parse((await principal('list', '-o', 'json')).stdout).items;

describe('principal', () => {
  it('set gives a role its view, in place of the one it had', async () => {
    const words = ['-n', 'team-a', '--for', 'vm', '--search-domain', 'a.internal', '--family', 'ipv4,ipv6'];
    const first = await principal('set', 'arn:aws:sts::123456789012:assumed-role/vm/i-0', ...words);
    expect(first.stdout).toContain(`principal ${ROLE} set: vips=true namespace=team-a`);
    const view = { namespace: 'team-a', vips: true, searchDomains: ['a.internal'], families: ['ipv4', 'ipv6'] };
    expect(await listed()).toEqual([{ arn: ROLE, label: 'vm', view, createdAt: expect.any(String) }]);
    await principal('set', ROLE, '--namespace', 'team-b', '--label', 'fleet');
    expect(await listed()).toMatchObject([{ arn: ROLE, label: 'fleet', view: { namespace: 'team-b' } }]);
    expect(Object.keys((await listed())[0].view)).toEqual(['namespace']);
  });

  it('list shows them in a table', async () => {
    await principal('set', ROLE, '--namespace', 'team-b', '--label', 'fleet');
    const [header, row] = (await principal('list')).stdout.split('\n');
    expect(header).toMatch(/^ARN +LABEL +VIEW +AGE$/);
    expect(row).toMatch(/^arn:aws:iam::123456789012:role\/vm +fleet +namespace=team-b +\d+s$/);
  });

  it('delete takes their views away, and says which had none', async () => {
    await principal('set', ROLE);
    const { stdout, stderr, exitCode } = await principal('delete', ROLE, ROLE);
    expect(stdout).toBe(`principal ${ROLE} deleted\n`);
    expect(stderr).toContain(`${ROLE} has no view of its own`);
    expect(exitCode).toBe(1);
    expect((await principal('list')).stderr).toBe('No principals found.\n');
  });

  it.each([
    [['set', 'vm'], 'no ARN of an IAM role or user'],
    [['set', ROLE, '-n', 'No'], 'view.namespace'],
    [['set', ROLE, '--for', 'admin'], 'Allowed choices'],
    [['set'], 'arn'],
  ])('refuses %j', async (words, message) => {
    const { stdout, stderr, exitCode } = await principal(...words);
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
    expect(stderr).toContain(message);
    expect(await listed()).toEqual([]);
  });
});
