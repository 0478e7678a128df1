import { execFile } from 'node:child_process';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildShim } from '../../src/shim/build.mjs';
import { Closers, temporaryFolder } from '../support/running-shim.ts';

const run = promisify(execFile);
const closers = new Closers();
let file: string;
let inputs: Readonly<Record<string, { readonly bytesInOutput: number }>>;

beforeAll(async () => {
  file = join(await temporaryFolder(closers), 'meshdoh-shim.mjs');
  const { outputs } = await buildShim(file);
  inputs = Object.values(outputs)[0]?.inputs ?? {};
});
afterAll(() => closers.closeAll());

describe('the bundle', () => {
  it('is one file of a size that a small host does not notice', async () => {
    expect((await readFile(file)).length).toBeLessThan(150 * 1024);
  });

  it('has neither the AWS SDK nor what only the server needs', () => {
    const modules = Object.keys(inputs).flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
    expect([...new Set(modules)].sort()).toEqual(['lru.min']);
    expect(
      Object.keys(inputs).filter((path) => /^src\/(registry|http|cli|embedded|vip|serviceentry)\//.test(path)),
    ).toEqual([]);
  });

  it('runs by itself, where no package is installed', async () => {
    const alone = join(await temporaryFolder(closers), 'shim.mjs');
    await copyFile(file, alone);
    const { stdout } = await run(process.execPath, [alone, '--version']);
    expect(stdout).toMatch(/^meshdoh-shim \d+\.\d+\.\d+\n$/);
    const { stdout: help } = await run(process.execPath, [alone, '--help']);
    expect(help).toContain('--endpoint URL');
  });
});
