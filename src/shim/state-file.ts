import { mkdir, open, readFile, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { orAbsent, writeWhole } from './capture/host-files.ts';

/** Whole or not at all: what a power cut leaves is the old file or the new one. */
export async function writeStateFile(path: string, content: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o750 });
  await writeWhole(path, Buffer.from(content), 0o600);
  const entry = await open(folder);
  await entry.sync().finally(() => entry.close());
}

/** Undefined when it is not there. */
export const readStateFile = (path: string): Promise<string | undefined> => orAbsent(readFile(path, 'utf8'));

/** Says that the content is still right, at the cost of no write to it. */
export async function confirmStateFile(path: string, atMs: number): Promise<void> {
  await utimes(path, atMs / 1000, atMs / 1000);
}
