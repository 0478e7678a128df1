import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LAUNCH = join(import.meta.dirname, '../../src/cli/launch.mjs');
const READY = 'Ctrl-C stops it.';
const START_TIMEOUT_MS = 30_000;

/** `meshdoh start` as a process of its own, on free ports, in a working folder that outlives it. */
export interface RunningStart {
  readonly folder: string;
  readonly httpUrl: string;
  readonly httpsPort: number;
  readonly dnsPort: number;
  /** Path of the certificate authority. */
  readonly ca: string;
  /** What it printed until it was ready. */
  readonly greeting: string;
  /** Everything it wrote to stderr. */
  stderr(): string;
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

export const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'meshdoh-start-'));

export const removeFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

async function untilReady(child: ChildProcess, output: { out: string; err: string }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`not ready:\n${output.out}${output.err}`)), START_TIMEOUT_MS);
  child.stdout?.on('data', (text: Buffer) => {
    output.out += text;
    if (output.out.includes(READY)) resolve();
  });
  child.stderr?.on('data', (text: Buffer) => {
    output.err += text;
  });
  child.once('exit', (code) => reject(new Error(`ended with ${code}:\n${output.out}${output.err}`)));
  await promise.finally(() => clearTimeout(timer));
}

function portIn(text: string, pattern: RegExp): number {
  const port = Number(pattern.exec(text)?.[1]);
  if (!port) throw new Error(`no port like ${pattern} in:\n${text}`);
  return port;
}

/** Starts it with further arguments, e.g. `['--upstreams', 'http://127.0.0.1:1/dns-query']`. */
export async function runStart(folder: string, args: readonly string[] = []): Promise<RunningStart> {
  const ports = ['--listen', '127.0.0.1:0', '--https', '127.0.0.1:0', '--dns', '127.0.0.1:0'];
  const child = spawn(process.execPath, [LAUNCH, 'start', ...ports, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { out: '', err: '' };
  await untilReady(child, output);
  const server = JSON.parse(await readFile(join(folder, '.meshdoh/server.json'), 'utf8'));
  return {
    folder,
    httpUrl: server.http,
    httpsPort: Number(new URL(server.https).port),
    dnsPort: portIn(output.out, /DNS {3}127\.0\.0\.1:(\d+)/),
    ca: server.ca,
    greeting: output.out,
    stderr: () => output.err,
    kill: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const { promise, resolve } = Promise.withResolvers<number | null>();
      child.once('exit', (code) => resolve(code));
      child.kill(signal);
      return promise;
    },
  };
}
