import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandFailure } from './failure.ts';
import { readTextFileIfPresent } from './text-file.ts';

/** Below the working folder: what a server on this machine keeps, and how its clients find it. */
export const STATE_FOLDER = '.meshdoh';

export interface ServerFile {
  readonly pid: number;
  readonly http: string;
  readonly https?: string;
  /** Path of the certificate authority that signed the server's certificate. */
  readonly ca?: string;
}

/** Relative to the working folder. */
export const TOKEN_FILE = `${STATE_FOLDER}/admin-token`;
export const SERVER_FILE = `${STATE_FOLDER}/server.json`;

async function writePrivately(path: string, content: string): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, content, { mode: 0o600 });
  await rename(temporary, path);
}

/** RFC 6750 section 2.1: what an `Authorization` header can carry. */
export const TOKEN = /^[\w.~+/-]+=*$/;

/** The administrator's token: made once, readable by this user only. @throws CommandFailure for a file that is there but holds none. */
export async function ensureAdminToken(cwd: string): Promise<{ readonly token: string; readonly path: string }> {
  const path = join(cwd, TOKEN_FILE);
  await mkdir(join(cwd, STATE_FOLDER), { recursive: true, mode: 0o700 });
  const existing = (await readTextFileIfPresent(path, TOKEN_FILE))?.trim();
  if (existing && !TOKEN.test(existing)) {
    throw new CommandFailure(`${TOKEN_FILE} holds no token that a client could send: delete it to get a new one`);
  }
  if (existing) return { token: existing, path };
  const token = randomBytes(32).toString('base64url');
  await writePrivately(path, `${token}\n`);
  return { token, path };
}

export async function writeServerFile(cwd: string, server: ServerFile): Promise<void> {
  await writePrivately(join(cwd, SERVER_FILE), `${JSON.stringify(server, null, 2)}\n`);
}

/** Leaves alone what another server in the same folder has written since. */
export async function removeServerFile(cwd: string): Promise<void> {
  const text = await readTextFileIfPresent(join(cwd, SERVER_FILE), SERVER_FILE);
  if (text !== undefined && isOurs(text)) await rm(join(cwd, SERVER_FILE), { force: true });
}

function isOurs(text: string): boolean {
  try {
    return JSON.parse(text).pid === process.pid;
  } catch {
    return false;
  }
}
