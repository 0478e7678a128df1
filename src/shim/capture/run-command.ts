import { type ExecFileOptions, execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Longer than a service takes to take a job; one that hangs must not hang us. */
const TIMEOUT_MS = 10_000;
/** 10,000 listeners with two endpoints each are 20 MB of JSON. */
const MAX_OCTETS = 256 * 1024 * 1024;

/** A command that could not be run, or failed. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** What it said first, or how it ended. */
  readonly reason: string;
  readonly isMissing: boolean;

  constructor(command: readonly string[], cause: unknown) {
    const { code, stderr = '' } = cause as { code?: unknown; stderr?: string };
    const isMissing = code === 'ENOENT';
    const reason = isMissing ? 'it is not there' : stderr.trim().split('\n')[0] || `it ended with ${String(code)}`;
    super(`${command.join(' ')}: ${reason}`, { cause });
    this.reason = reason;
    this.isMissing = isMissing;
  }
}

export interface CommandOptions extends Pick<ExecFileOptions, 'env' | 'timeout'> {
  readonly input?: string;
}

/** Runs a command to its end; resolves to what it writes. @throws CommandError */
export async function readCommand(
  command: readonly string[],
  { input = '', ...options }: CommandOptions = {},
): Promise<string> {
  const [file = '', ...args] = command;
  try {
    const running = promisify(execFile)(file, args, { timeout: TIMEOUT_MS, maxBuffer: MAX_OCTETS, ...options });
    // It may end before it has read everything: its end tells.
    running.child.stdin?.on('error', () => undefined).end(input);
    return (await running).stdout;
  } catch (error) {
    throw new CommandError(command, error);
  }
}

/** Runs a command to its end. @throws CommandError */
export const runCommand = async (command: readonly string[]): Promise<void> => void (await readCommand(command));
