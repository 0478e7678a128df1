import { execFile } from 'node:child_process';
import { readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder, removeFolder } from '../support/running-start.ts';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

describe('the package as npm would publish it', () => {
  let folder: string;
  let command: string;

  beforeAll(async () => {
    folder = await makeFolder();
    const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: ROOT });
    await run('tar', ['-xzf', stdout.trim().split('\n').at(-1) ?? ''], { cwd: folder });
    command = join(folder, 'package/dist/meshdoh.mjs');
    await symlink(join(ROOT, 'node_modules'), join(folder, 'package/node_modules'));
  });
  afterAll(() => removeFolder(folder));

  it('runs without TypeScript', async () => {
    const { version } = JSON.parse(await readFile(join(folder, 'package/package.json'), 'utf8'));
    expect((await run(process.execPath, [command, '--version'])).stdout).toBe(`${version}\n`);
    expect((await run(process.execPath, [command, '--help'])).stdout).toContain('Usage: meshdoh');
  });

  it('carries the examples and no sources', async () => {
    const listed = (await run('find', ['.', '-type', 'f'], { cwd: join(folder, 'package') })).stdout.split('\n');
    expect(listed).toContain('./examples/external-auto.yaml');
    expect(listed).toContain('./LICENSE');
    expect(listed.filter((file) => /\.ts$|^\.\/(src|test)\//.test(file))).toEqual([]);
  });

  it('says what is missing on a Node that is too old, instead of a stack', async () => {
    const script = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' }); await import(${JSON.stringify(command)});`;
    const outcome = await run(process.execPath, ['--input-type=module', '-e', script]).catch(
      (error: { code: number; stderr: string }) => error,
    );
    expect(outcome).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('meshdoh needs Node 22.18 or later, and this is 20.20.2'),
    });
  });
});
