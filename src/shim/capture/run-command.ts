import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Longer than a service takes to take a job; one that hangs must not hang us. */
const TIMEOUT_MS = 10_000;

/** Runs a command to its end. @throws Error that names it and what it said. */
export async function runCommand([command = '', ...args]: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)(command, args, { timeout: TIMEOUT_MS });
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    const why = code === 'ENOENT' ? 'it is not there' : stderr.trim().split('\n')[0] || `it ended with ${String(code)}`;
    throw new Error(`${[command, ...args].join(' ')}: ${why}`, { cause: error });
  }
}
