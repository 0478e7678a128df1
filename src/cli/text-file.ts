import { createReadStream, readFileSync } from 'node:fs';
import { CommandFailure } from './failure.ts';

/** Far above any manifest that people write or a registry of 10,000 entries exports. */
const MAX_OCTETS = 64 * 1024 * 1024;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
};

/** Why something in the file system cannot be used, in words. */
export function fileFailure(error: unknown, what: string): CommandFailure {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new CommandFailure(`cannot read ${what}: ${REASONS[code] ?? message}`, { cause: error });
}

/** @throws CommandFailure that calls what is read `origin`. */
export async function readText(source: AsyncIterable<Uint8Array>, origin: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of source) {
      length += chunk.length;
      if (length > MAX_OCTETS) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw fileFailure(error, origin);
  }
  if (length > MAX_OCTETS) throw new CommandFailure(`cannot read ${origin}: it is over ${MAX_OCTETS} octets`);
  return Buffer.concat(chunks).toString('utf8');
}

/** @throws CommandFailure that calls the file `origin`. */
export const readTextFile = (path: string, origin: string): Promise<string> => readText(createReadStream(path), origin);

/** The same at once, for what a server needs before it does anything else. */
export function readTextFileSync(path: string, origin: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw fileFailure(error, origin);
  }
}

/** The same, but undefined where there is no such file. */
export async function readTextFileIfPresent(path: string, origin: string): Promise<string | undefined> {
  try {
    return await readTextFile(path, origin);
  } catch (error) {
    const { code } = ((error as CommandFailure).cause ?? {}) as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
