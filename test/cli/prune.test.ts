import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { applyCommand } from '../../src/cli/apply.ts';
import { deleteCommand } from '../../src/cli/delete.ts';
import { deadline, serviceEntry } from '../support/registry.ts';
import { type Ran, runVerb } from './run-verb.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
beforeEach(async () => {
  await server?.close();
  server = await openTestServer();
  const { registry } = server;
  const register = (name: string, labels: Record<string, string>, namespace = 'default') =>
    registry.apply(serviceEntry(name, { hosts: [`${name}.${namespace}.internal`] }, { namespace, labels }));
  await register('kept', { team: 'shop' });
  await register('left', { team: 'shop' });
  await register('unlabelled', {});
  await register('of-others', { team: 'bank' });
  await register('elsewhere', { team: 'shop' }, 'other');
});
afterAll(() => server.close());

const ALL = ['default/kept', 'default/left', 'default/of-others', 'default/unlabelled', 'other/elsewhere'];

async function names(): Promise<string[]> {
  const { items } = await server.registry.entries.list(undefined, deadline());
  return items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}

const without = (...gone: readonly string[]): string[] => ALL.filter((name) => !gone.includes(name));

const manifest = (name: string, { team = 'shop', port = 80 } = {}): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, labels: { team: ${team} } }
spec:
  hosts: [${name}.default.internal]
  resolution: DNS
  ports: [{ name: http, number: ${port}, protocol: HTTP }]
`;

const apply = (stdin: string, ...words: readonly string[]): Promise<Ran> =>
  runVerb(applyCommand, ['-f', '-', ...words], { environment: { MESHDOH_SERVER: server.url }, stdin });

const remove = (...words: readonly string[]): Promise<Ran> =>
  runVerb(deleteCommand, words, { environment: { MESHDOH_SERVER: server.url } });

const line = (name: string, what: string) => `serviceentry.networking.istio.io/${name} ${what}\n`;

describe('apply --prune', () => {
  it('deletes what is selected, in the namespaces of the manifests, and not in them', async () => {
    const { stdout, stderr, exitCode } = await apply(manifest('kept'), '--prune', '-l', 'team=shop');
    expect([stderr, exitCode]).toEqual(['', 0]);
    expect(stdout.endsWith(line('left', 'pruned'))).toBe(true);
    expect(stdout.split('\n')).toHaveLength(3);
    expect(await names()).toEqual(without('default/left'));
  });

  it('is refused without a selector, or with an empty one, and then nothing is applied', async () => {
    expect(await apply(manifest('new'), '--prune')).toEqual({
      stdout: '',
      stderr: 'error: --prune needs --selector: which of the entries in force the manifests are the whole of\n',
      exitCode: 1,
    });
    expect((await apply(manifest('new'), '--prune', '-l', ' ')).stderr).toBe(
      'error: --selector is empty: it takes labels, as in app=web\n',
    );
    expect((await apply(manifest('new'), '--prune', '-l', 'team in (')).stderr).toMatch(
      /^error: --selector is "team in \("/,
    );
    expect(await names()).toEqual(ALL);
  });

  it.each([
    ['server', ' (server dry run)'],
    ['client', ' (dry run)'],
  ])('--dry-run=%s says what it would delete, and deletes nothing', async (who, suffix) => {
    const { stdout, exitCode } = await apply(manifest('kept'), '--prune', '-l', 'team=shop', `--dry-run=${who}`);
    expect(stdout).toContain(line('left', `pruned${suffix}`));
    expect(exitCode).toBe(0);
    expect(await names()).toEqual(ALL);
  });

  it('deletes nothing where not everything was applied', async () => {
    const { stderr, exitCode } = await apply(
      `${manifest('kept')}---\n${manifest('bad', { port: 70_000 })}`,
      '--prune',
      '-l',
      'team=shop',
    );
    expect(stderr).toMatch(/error: nothing is pruned, because not everything was applied\n$/);
    expect(exitCode).toBe(1);
    expect(await names()).toEqual(ALL);
  });

  it('leaves alone what the manifests name, also where the selector leaves it out of them', async () => {
    const text = `${manifest('kept')}---\n${manifest('left', { team: 'bank', port: 81 })}`;
    const { stdout } = await apply(text, '--prune', '-l', 'team=shop');
    expect(stdout).not.toContain('left');
    expect(await names()).toEqual(ALL);
  });

  it('leaves alone a namespace of which the selector selects no manifest', async () => {
    const elsewhere = manifest('new', { team: 'bank' }).replace('name: new,', 'name: new, namespace: other,');
    const { stdout } = await apply(`${manifest('kept')}---\n${elsewhere}`, '--prune', '-l', 'team=shop');
    expect(stdout.endsWith(line('left', 'pruned'))).toBe(true);
    expect(await names()).toEqual(without('default/left'));
  });

  it('says on stderr what it deletes where stdout is for objects', async () => {
    const { stdout, stderr } = await apply(manifest('kept'), '--prune', '-l', 'team=shop', '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'ServiceEntry' });
    expect(stderr).toBe(line('left', 'pruned'));
  });
});

describe('apply -l', () => {
  it('applies only what it selects', async () => {
    const { stdout } = await apply(`${manifest('new')}---\n${manifest('other', { team: 'bank' })}`, '-l', 'team=shop');
    expect(stdout).toBe(line('new', 'created'));
    expect((await apply(manifest('other', { team: 'bank' }), '-l', 'team=shop')).stderr).toBe(
      'error: no objects passed to apply\n',
    );
  });
});

const deleted = (...gone: readonly string[]): string =>
  gone.map((name) => `serviceentry.networking.istio.io "${name}" deleted\n`).join('');

describe('delete', () => {
  it.each<[string, string[], string, string[]]>([
    ['a selector', ['-l', 'team=shop'], deleted('kept', 'left'), ['default/kept', 'default/left']],
    [
      'a selector, in all namespaces',
      ['-A', '-l', 'team=shop'],
      deleted('kept', 'left', 'elsewhere'),
      ['default/kept', 'default/left', 'other/elsewhere'],
    ],
    ['a set', ['se', '-l', 'team notin (shop,bank)'], deleted('unlabelled'), ['default/unlabelled']],
    ['all of a namespace', ['--all', '-n', 'other'], deleted('elsewhere'), ['other/elsewhere']],
  ])('deletes by %s', async (_, words, stdout, gone) => {
    expect(await remove(...words)).toEqual({ stdout, stderr: '', exitCode: 0 });
    expect(await names()).toEqual(without(...gone));
  });

  it('--dry-run deletes nothing of it', async () => {
    expect((await remove('--all', '--dry-run=server')).stdout).toContain('"kept" deleted (server dry run)\n');
    expect((await remove('--all', '--dry-run=client')).stdout).toContain('"kept" deleted (dry run)\n');
    expect(await names()).toEqual(ALL);
  });

  it('takes nothing for a success', async () => {
    expect(await remove('-l', 'team=none')).toEqual({ stdout: '', stderr: 'No resources found\n', exitCode: 0 });
  });

  it.each<[string, string[]]>([
    ['a name and --all', ['kept', '--all']],
    ['a selector and --all', ['-l', 'team=shop', '--all']],
    ['a name and a selector', ['kept', '-l', 'team=shop']],
    ['all namespaces alone', ['-A']],
    ['a name in all namespaces', ['-A', 'kept']],
  ])('refuses %s', async (_, words) => {
    const { stdout, exitCode } = await remove(...words);
    expect([stdout, exitCode]).toEqual(['', 1]);
    expect(await names()).toEqual(ALL);
  });
});
