import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, CommanderError } from 'commander';
import { onTestFinished } from 'vitest';
import type { Io } from '../../src/cli/io.ts';

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface Surroundings {
  /** A folder that is not there when absent. */
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly isTerminal?: boolean;
  readonly hasColours?: boolean;
  readonly signal?: AbortSignal;
  /** Sees stdout as it grows. */
  readonly onOutput?: (stdout: string) => void;
  readonly now?: number;
}

async function* octetsOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** Runs a verb in this process, as a shell would with these words. */
export async function runVerb(
  verb: (io: Io) => Command,
  words: readonly string[],
  surroundings: Surroundings = {},
): Promise<Ran> {
  const { cwd = '/nonexistent', environment = {}, stdin = '', isTerminal = false, now = Date.now() } = surroundings;
  const { hasColours = false, signal = new AbortController().signal, onOutput } = surroundings;
  const ran = { stdout: '', stderr: '', exitCode: 0 };
  const io: Io = {
    stdout: {
      write(text) {
        ran.stdout += text;
        onOutput?.(ran.stdout);
      },
    },
    stderr: { write: (text) => (ran.stderr += text) },
    stdin: octetsOf(stdin),
    environment,
    cwd,
    isTerminal,
    hasColours,
    signal,
    now: () => now,
    setExitCode: (code) => (ran.exitCode = code),
  };
  try {
    const command = verb(io).exitOverride();
    for (const below of command.commands) below.exitOverride();
    await command.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    ran.exitCode = error.exitCode;
  }
  return ran;
}

/** A working folder for one test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'meshdoh-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}
