import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../src/cli/main.ts';
import { type NameSource, suggestionsFor } from '../../src/cli/suggestions.ts';
import { serviceEntry } from '../support/registry.ts';
import { temporaryFolder } from './run-verb.ts';
import { openTestServer, type TestServer } from './test-server.ts';

const LAUNCH = join(import.meta.dirname, '../../src/cli/launch.mjs');
const run = promisify(execFile);

const NAMES: NameSource = {
  entries: async ({ namespace = 'default' }) => (namespace === 'default' ? ['auto', 'address'] : ['of-team']),
  hosts: async () => ['auto.internal', 'address.internal'],
  namespaces: async () => ['default', 'team', 'team'],
};

const suggested = (...words: readonly string[]): Promise<string[]> => suggestionsFor(program(), words, NAMES);

describe('what is suggested', () => {
  it.each<[string[], string[]]>([
    [['app'], ['apply']],
    [['get', 'aut'], ['auto']],
    [
      ['get', 'se', ''],
      ['auto', 'address'],
    ],
    [
      ['get', ''],
      ['serviceentries', 'auto', 'address'],
    ],
    [['describe', 'se', 'auto', ''], ['address']],
    [
      ['get', '-n', ''],
      ['default', 'team'],
    ],
    [['get', '-n', 'team', 'serviceentries', ''], ['of-team']],
    [['get', '-o', 'j'], ['json']],
    [['get', '--output=y'], ['--output=yaml']],
    [['get', '--output', '=', 'y'], ['yaml']],
    [
      ['apply', '--dry-run', '='],
      ['none', 'client', 'server'],
    ],
    [['apply', '--pr'], ['--prune']],
    [['apply', '-f', ''], []],
    [['resolve', 'au'], ['auto.internal']],
    [
      ['resolve', 'auto.internal', 'A'],
      ['A', 'AAAA', 'ANY'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['get', '--', '--'], []],
  ])('after %j is %j', async (words, expected) => {
    expect(await suggested(...words)).toEqual(expected);
  });

  it('every verb but the hidden one', async () => {
    const verbs = await suggested('');
    expect(verbs).toEqual(expect.arrayContaining(['start', 'serve', 'apply', 'diff', 'get', 'describe', 'delete']));
    expect(verbs.filter((name) => name.startsWith('_'))).toEqual([]);
  });

  it('every option of a verb', async () => {
    expect(await suggested('resolve', '--')).toEqual(expect.arrayContaining(['--trace', '--server', '--help']));
  });
});

describe('the scripts', () => {
  let server: TestServer;
  let folder: string;
  beforeAll(async () => {
    server = await openTestServer();
    await server.registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }));
  });
  afterAll(() => server.close());

  /** A folder with the command in it, as an installation has it on its path. */
  async function installed(): Promise<NodeJS.ProcessEnv> {
    folder = await temporaryFolder();
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'meshdoh'), `#!/bin/sh\nexec "${process.execPath}" "${LAUNCH}" "$@"\n`, { mode: 0o755 });
    await symlink(process.execPath, join(bin, 'node'));
    return { PATH: `${bin}:/usr/bin:/bin`, MESHDOH_SERVER: server.url };
  }

  /** What bash offers with the cursor at the end of these words. */
  async function completedByBash(...words: readonly string[]): Promise<string[]> {
    const env = await installed();
    const line = words.map((word) => `'${word}'`).join(' ');
    const script = `source <(meshdoh completion bash)
COMP_WORDS=(meshdoh ${line}); COMP_CWORD=${words.length}
_meshdoh meshdoh
printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = await run('bash', ['--norc', '-c', script], { env, cwd: folder });
    expect(stderr).toBe('');
    return stdout.trim().split('\n');
  }

  it.each<[string[], string[]]>([
    [['desc'], ['describe']],
    [['get', 'se', ''], ['auto']],
    [['get', '-o', 'wi'], ['wide']],
    [['resolve', ''], ['auto.internal']],
    [['apply', '-f', ''], ['']],
  ])('bash completes %j to %j', async (words, expected) => {
    expect(await completedByBash(...words)).toEqual(expected);
  });

  it('bash has the function registered for the command', async () => {
    const env = await installed();
    const { stdout } = await run('bash', ['--norc', '-c', 'source <(meshdoh completion bash); complete -p meshdoh'], {
      env,
    });
    expect(stdout).toBe('complete -o default -F _meshdoh meshdoh\n');
  });

  it('offer nothing, and say nothing, where there is no server', async () => {
    const env = await installed();
    const words = ['__complete', '--', 'get', 'se', ''];
    const { stdout, stderr } = await run('meshdoh', words, { env: { ...env, MESHDOH_SERVER: 'http://127.0.0.1:1' } });
    expect([stdout, stderr]).toEqual(['', '']);
  });

  it('for fish complete files where an option takes one', async () => {
    const env = await installed();
    const { stdout } = await run('meshdoh', ['completion', 'fish'], { env });
    expect(stdout).toContain('complete -c meshdoh -l filename -r -F\n');
  });

  it('are refused for another shell', async () => {
    const env = await installed();
    await expect(run('meshdoh', ['completion', 'csh'], { env })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Allowed choices are bash, zsh, fish'),
    });
  });
});
