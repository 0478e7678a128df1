import { join } from 'node:path';
import type { FileEntry, HostFiles } from '../capture/host-files.ts';
import { HOST_STATE_DIR } from '../capture/resolver-files.ts';

const JOURNAL_PATH = join(HOST_STATE_DIR, 'install.json');

/** What installing has changed, and what was there before the first time, so that it can be undone to the octet. */
export interface Journal {
  readonly files: Readonly<Record<string, FileEntry>>;
  /** Folders that were not there, outermost first. */
  readonly folders: readonly string[];
  /** Whose files were that are the shim's user's now. Their content is not kept: it is secret, and may be replaced. */
  readonly owners?: Readonly<Record<string, { readonly uid: number; readonly gid: number }>>;
  /** The user made for the shim. */
  readonly user?: string;
}

export const NO_JOURNAL: Journal = { files: {}, folders: [] };

export async function readJournal(host: HostFiles): Promise<Journal> {
  const text = await host.read(JOURNAL_PATH);
  return text === undefined ? NO_JOURNAL : (JSON.parse(text) as Journal);
}

export const writeJournal = (host: HostFiles, journal: Journal): Promise<void> =>
  host.write(JOURNAL_PATH, `${JSON.stringify(journal, undefined, 2)}\n`, 0o600);

/** The journal with these paths in it. What it has of a path already stays: it is older. */
export async function recorded(host: HostFiles, journal: Journal, paths: readonly string[]): Promise<Journal> {
  const files = { ...journal.files };
  const folders = [...journal.folders];
  for (const path of paths) {
    files[path] ??= await host.entry(path);
    for (const folder of ancestorsOf(path)) {
      if (!folders.includes(folder) && !(await host.exists(folder))) folders.push(folder);
    }
  }
  return { ...journal, files, folders };
}

/** The journal with the owner of a file that will be given away, if it is there. */
export async function ownerRecorded(host: HostFiles, journal: Journal, path: string | undefined): Promise<Journal> {
  const entry = path === undefined ? undefined : await host.entry(path);
  if (path === undefined || entry?.kind !== 'file' || journal.owners?.[path]) return journal;
  return { ...journal, owners: { ...journal.owners, [path]: { uid: entry.uid, gid: entry.gid } } };
}

/** `/a/b/c` → `/a`, `/a/b` */
function ancestorsOf(path: string): string[] {
  const parts = path.split('/').slice(1, -1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
}
