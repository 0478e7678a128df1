import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ensureAdminToken,
  removeServerFile,
  SERVER_FILE,
  STATE_FOLDER,
  TOKEN_FILE,
  writeServerFile,
} from '../../src/cli/state-folder.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshdoh-state-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe('ensureAdminToken', () => {
  it('makes a token that only this user can read, and keeps it', async () => {
    const { token, path } = await ensureAdminToken(folder);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await ensureAdminToken(folder)).toEqual({ token, path });
  });

  it('makes one where the file is empty', async () => {
    await mkdir(join(folder, STATE_FOLDER));
    await writeFile(join(folder, TOKEN_FILE), '\n');
    const { token } = await ensureAdminToken(folder);
    expect(await readFile(join(folder, TOKEN_FILE), 'utf8')).toBe(`${token}\n`);
  });

  it('refuses a file whose content no client could send', async () => {
    await mkdir(join(folder, STATE_FOLDER));
    await writeFile(join(folder, TOKEN_FILE), 'two words\n');
    await expect(ensureAdminToken(folder)).rejects.toThrow(`${TOKEN_FILE} holds no token that a client could send`);
  });

  it('replaces nothing that it cannot read', async () => {
    await mkdir(join(folder, TOKEN_FILE), { recursive: true });
    await expect(ensureAdminToken(folder)).rejects.toThrow(`cannot read ${TOKEN_FILE}`);
    expect(statSync(join(folder, TOKEN_FILE)).isDirectory()).toBe(true);
  });
});

describe('removeServerFile', () => {
  beforeEach(() => mkdir(join(folder, STATE_FOLDER)));

  it('removes what this process has written', async () => {
    await writeServerFile(folder, { pid: process.pid, http: 'http://127.0.0.1:1' });
    await removeServerFile(folder);
    expect(existsSync(join(folder, SERVER_FILE))).toBe(false);
  });

  it('leaves the file of a later server, and its absence, alone', async () => {
    await writeServerFile(folder, { pid: process.pid + 1, http: 'http://127.0.0.1:1' });
    await removeServerFile(folder);
    expect(existsSync(join(folder, SERVER_FILE))).toBe(true);
    await rm(join(folder, SERVER_FILE));
    await removeServerFile(folder);
  });
});
