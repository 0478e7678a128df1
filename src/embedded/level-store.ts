import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Range, Write } from 'dynalite/db/index.js';

/** LevelDB as this folder uses it: ordered keys, JSON values, atomic batches. */
export interface LevelStore {
  get(key: string): Promise<unknown>;
  values(range: Range): AsyncIterable<unknown>;
  keys(range: Range): AsyncIterable<string>;
  clear(range: Range): Promise<void>;
  /** All or nothing; with a folder, on disk before it resolves. */
  commit(writes: readonly Write[]): Promise<void>;
  close(): Promise<void>;
}

/** Another process, or this one, has the folder open. */
export class EmbeddedFolderInUseError extends Error {
  readonly folder: string;

  constructor(folder: string, options?: ErrorOptions) {
    super(`${folder} is in use by another process: one process at a time can open it`, options);
    this.name = 'EmbeddedFolderInUseError';
    this.folder = folder;
  }
}

/** The folder cannot be made or opened, or its files are damaged: `cause` says which. */
export class EmbeddedFolderError extends Error {
  readonly folder: string;

  constructor(folder: string, options: ErrorOptions) {
    super(`${folder} cannot be opened as a store`, options);
    this.name = 'EmbeddedFolderError';
    this.folder = folder;
  }
}

interface Level extends Omit<LevelStore, 'commit'> {
  open(): Promise<void>;
  batch(writes: readonly Write[], options: { sync: boolean }): Promise<void>;
}

type LevelClass<Parameters extends unknown[]> = new (...parameters: Parameters) => Level;

// LevelDB comes with dynalite: resolved from there, it is the same copy wherever the package manager put it.
const dynaliteRequire = createRequire(createRequire(import.meta.url).resolve('dynalite'));
const encoding = { valueEncoding: 'json' };

/** Opens `folder` (created readable by its owner only), or memory when absent. */
export async function openLevelStore(folder?: string): Promise<LevelStore> {
  const level = folder === undefined ? openMemory() : await openFolder(folder);
  return {
    get: (key) => level.get(key),
    values: (range) => level.values(range),
    keys: (range) => level.keys(range),
    clear: (range) => level.clear(range),
    commit: (writes) => level.batch(writes, { sync: true }),
    close: () => level.close(),
  };
}

function openMemory(): Level {
  const { MemoryLevel } = dynaliteRequire('memory-level') as { MemoryLevel: LevelClass<[object]> };
  return new MemoryLevel(encoding);
}

async function openFolder(folder: string): Promise<Level> {
  const { Level } = dynaliteRequire('level') as { Level: LevelClass<[string, object]> };
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const level = new Level(folder, encoding);
    await level.open();
    return level;
  } catch (error) {
    throw isLocked(error)
      ? new EmbeddedFolderInUseError(folder, { cause: error })
      : new EmbeddedFolderError(folder, { cause: error });
  }
}

function isLocked(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED';
}
