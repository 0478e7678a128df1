import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { CommandFailure } from './failure.ts';
import { printable } from './printable.ts';

/** One object before and after, as text; undefined: it is not there. */
export interface Change {
  /** What its file is called, as kubectl does: `networking.istio.io.v1.ServiceEntry.default.external-auto`. */
  readonly file: string;
  readonly live: string | undefined;
  readonly merged: string | undefined;
}

const RED = '\x1b[31m';
const GREEN = '\x1b[32m';
const CYAN = '\x1b[36m';
const BOLD = '\x1b[1m';
const RESET = '\x1b[0m';

const COLOURS: readonly (readonly [RegExp, string])[] = [
  [/^(---|\+\+\+|diff) /, BOLD],
  [/^@@/, CYAN],
  [/^-/, RED],
  [/^\+/, GREEN],
];

function coloured(line: string): string {
  const colour = COLOURS.find(([pattern]) => pattern.test(line))?.[1];
  return colour === undefined ? line : `${colour}${line}${RESET}`;
}

/** `diff -u -N` of both; empty where there is no difference. */
export function unifiedDiff({ file, live, merged }: Change, hasColours: boolean): string {
  if (live === merged) return '';
  const [before, after] = [`LIVE/${file}`, `MERGED/${file}`];
  const patch = createTwoFilesPatch(before, after, live ?? '', merged ?? '', undefined, undefined, {
    context: 3,
    headerOptions: FILE_HEADERS_ONLY,
  });
  const text = printable(`diff -u -N ${before} ${after}\n${patch}`);
  return hasColours ? text.split('\n').map(coloured).join('\n') : text;
}

/** As kubectl does: what is neither a word, a dash, a slash nor a dot is not passed on. */
const wordsOf = (command: string): string[] => command.split(' ').filter((word) => /^[\w\-=/.:~]+$/.test(word));

/** The changes in two folders, for a program that compares folders. */
async function writeFolders(root: string, changes: readonly Change[]): Promise<readonly [string, string]> {
  const folders = [join(root, 'LIVE'), join(root, 'MERGED')] as const;
  for (const folder of folders) await mkdir(folder);
  for (const { file, live, merged } of changes) {
    if (live !== undefined) await writeFile(join(folders[0], file), live);
    if (merged !== undefined) await writeFile(join(folders[1], file), merged);
  }
  return folders;
}

/**
 * Runs the program of `KUBECTL_EXTERNAL_DIFF` on the terminal of this one; whether it found differences.
 * @throws CommandFailure where it cannot be run, or ends with something else than 0 and 1.
 */
export async function externalDiff(command: string, changes: readonly Change[]): Promise<boolean> {
  const [program = '', ...args] = wordsOf(command);
  const root = await mkdtemp(join(tmpdir(), 'meshdoh-diff-'));
  try {
    const code = await run(program, [...args, ...(await writeFolders(root, changes))]);
    if (code === 0 || code === 1) return code === 1;
    throw new CommandFailure(`KUBECTL_EXTERNAL_DIFF (${program}) ended with exit code ${code}`);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function run(program: string, args: readonly string[]): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  spawn(program, args, { stdio: 'inherit' })
    .on('error', (cause) => reject(new CommandFailure(`cannot run KUBECTL_EXTERNAL_DIFF: ${cause.message}`, { cause })))
    .on('exit', resolve);
  return promise;
}
