import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Below the working folder: what a server on this machine keeps, and how its clients find it. */
export const STATE_FOLDER = '.meshdoh';

export interface ServerFile {
  readonly pid: number;
  readonly http: string;
  readonly https?: string;
  /** Path of the certificate authority that signed the server's certificate. */
  readonly ca?: string;
}

const TOKEN = 'admin-token';
const SERVER = 'server.json';

async function writePrivately(path: string, content: string): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, content, { mode: 0o600 });
  await rename(temporary, path);
}

/** The administrator's token: made once, readable by this user only. */
export async function ensureAdminToken(cwd: string): Promise<{ readonly token: string; readonly path: string }> {
  const folder = join(cwd, STATE_FOLDER);
  const path = join(folder, TOKEN);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const existing = await readFile(path, 'utf8').catch(() => '');
  if (existing.trim() !== '') return { token: existing.trim(), path };
  const token = randomBytes(32).toString('base64url');
  await writePrivately(path, `${token}\n`);
  return { token, path };
}

export async function writeServerFile(cwd: string, server: ServerFile): Promise<void> {
  await writePrivately(join(cwd, STATE_FOLDER, SERVER), `${JSON.stringify(server, null, 2)}\n`);
}

export async function removeServerFile(cwd: string): Promise<void> {
  await rm(join(cwd, STATE_FOLDER, SERVER), { force: true });
}
