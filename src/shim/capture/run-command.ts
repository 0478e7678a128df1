import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Longer than a service takes to take a job; one that hangs must not hang us. */
const TIMEOUT_MS = 10_000;
const MAX_OCTETS = 16 * 1024 * 1024;

/** Runs a command to its end. @throws Error that names it and what it said. */
export async function runCommand(command: readonly string[]): Promise<void> {
  await readCommand(command);
}

/** Runs a command to its end; resolves to what it writes. @throws Error that names it and what it said. */
export async function readCommand([command = '', ...args]: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { timeout: TIMEOUT_MS, maxBuffer: MAX_OCTETS });
    return stdout;
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    const why = code === 'ENOENT' ? 'it is not there' : stderr.trim().split('\n')[0] || `it ended with ${String(code)}`;
    throw new Error(`${[command, ...args].join(' ')}: ${why}`, { cause: error });
  }
}
