import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A file as it stands, so that it can be put back to the octet. */
export type FileEntry =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'file';
      readonly content: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly kind: 'symlink'; readonly target: string };

const CODES_OF_ABSENCE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR']);
const PERMISSION_BITS = 0o777;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

/** Undefined where it is not there. */
export async function orAbsent<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (CODES_OF_ABSENCE.has(codeOf(error))) return undefined;
    throw error;
  }
}

/** Whether a write failed because the file is not ours to write. */
export const isNotPermitted = (error: unknown): boolean => ['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error));

/** The configuration files of a host, below `root` (empty: this one). Octets are kept as Latin-1 characters. */
export class HostFiles {
  readonly #root: string;

  constructor(root = '') {
    this.#root = root;
  }

  at(path: string): string {
    return join(this.#root, path);
  }

  /** What is there, links followed; undefined when nothing is. */
  read(path: string): Promise<string | undefined> {
    return orAbsent(readFile(this.at(path), 'latin1'));
  }

  async exists(path: string): Promise<boolean> {
    return (await orAbsent(lstat(this.at(path)))) !== undefined;
  }

  async entry(path: string): Promise<FileEntry> {
    const found = await orAbsent(lstat(this.at(path)));
    if (found === undefined) return { kind: 'absent' };
    if (found.isSymbolicLink()) return { kind: 'symlink', target: await readlink(this.at(path)) };
    const content = await readFile(this.at(path), 'latin1');
    return { kind: 'file', content, mode: found.mode & PERMISSION_BITS, uid: found.uid, gid: found.gid };
  }

  /** Puts a regular file there, whole or not at all, in place of a link too. */
  async write(path: string, content: string, mode = 0o644): Promise<void> {
    await mkdir(dirname(this.at(path)), { recursive: true });
    await writeWhole(this.at(path), content, mode);
  }

  /** Puts back what `entry` gave. */
  async restore(path: string, entry: FileEntry): Promise<void> {
    if (entry.kind === 'absent') await this.remove(path);
    else await replaceWith(this.at(path), entry);
  }

  async remove(path: string): Promise<void> {
    await rm(this.at(path), { force: true });
  }

  /** Changes the owner of a file that may be gone. */
  async giveTo(path: string, uid: number, gid: number): Promise<void> {
    await orAbsent(chown(this.at(path), uid, gid));
  }

  /** A folder and everything in it. */
  async removeTree(path: string): Promise<void> {
    await rm(this.at(path), { recursive: true, force: true });
  }

  /** A folder, if nobody else uses it. */
  async removeEmpty(path: string): Promise<void> {
    await rmdir(this.at(path)).catch((error: unknown) => {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) throw error;
    });
  }
}

/** A Buffer is written as it is. */
type NewFile = Omit<Extract<FileEntry, { kind: 'file' }>, 'content'> & { readonly content: string | Buffer };

type Replacement = NewFile | Extract<FileEntry, { kind: 'symlink' }>;

/** Puts a file or link in the place of what is there: whole, or not at all. */
async function replaceWith(path: string, entry: Replacement): Promise<void> {
  const beside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    if (entry.kind === 'symlink') await symlink(entry.target, beside);
    else await writeNew(beside, entry);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    // A file mounted by itself, as containers have it, cannot be replaced: its content can.
    if (codeOf(error) !== 'EBUSY' || entry.kind === 'symlink') throw error;
    await writeFile(path, entry.content, 'latin1');
  }
}

/** A regular file, which belongs to whoever writes it. */
export const writeWhole = (path: string, content: string | Buffer, mode: number): Promise<void> =>
  replaceWith(path, { kind: 'file', content, mode, uid: -1, gid: -1 });

/** On disk before it takes its place, or a power cut could leave an empty file there. */
async function writeNew(at: string, { content, mode, uid, gid }: NewFile): Promise<void> {
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  const file = await open(at, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode);
  try {
    await file.writeFile(content, 'latin1');
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(at, mode);
  if (uid >= 0) await chown(at, uid, gid);
}
