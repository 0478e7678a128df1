import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  /** The one core it may run on. */
  readonly core?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

const MOST_OUTPUT = 1024 * 1024;
const STOP_MS = 5_000;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** A process of ours; it does not outlive this one. */
export class Child {
  readonly #process: ChildProcess;
  readonly #command: string;
  /** Exit code, or null when a signal ended it. */
  readonly ended: Promise<number | null>;
  #output = '';

  constructor({ argv, cwd, core, environment }: Command) {
    // taskset replaces itself by the command, so that the pid is the command's.
    const [file, ...args] = core === undefined ? argv : (['taskset', '-c', String(core), ...argv] as const);
    this.#command = argv.join(' ');
    this.#process = spawn(file, args, {
      cwd,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this.#process);
    const collect = (chunk: Buffer) => {
      if (this.#output.length < MOST_OUTPUT) this.#output += chunk.toString();
    };
    this.#process.stdout?.on('data', collect);
    this.#process.stderr?.on('data', collect);
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    this.#process.on('error', reject).on('close', resolve);
    this.ended = promise.finally(() => running.delete(this.#process));
    // Whoever waits for the end hears of it; a server that cannot start is noticed by its silence.
    this.ended.catch(() => undefined);
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** What it has written to stdout and stderr. */
  get output(): string {
    return this.#output;
  }

  get hasEnded(): boolean {
    return !running.has(this.#process);
  }

  /** The first match in its output. @throws when it ends, or takes too long. */
  async says(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> {
    const end = performance.now() + timeoutMs;
    while (performance.now() < end) {
      const match = pattern.exec(this.#output);
      if (match) return match;
      if (this.hasEnded) break;
      await sleep(10);
    }
    throw new Error(`${this.#command} did not say ${pattern}:\n${this.#output.slice(-2000)}`);
  }

  /** Waits for the port. @throws when it ends, or takes too long. */
  async listensOn(port: number, timeoutMs = 10_000): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (!this.hasEnded && performance.now() < end) {
      if (await accepts(port)) return;
      await sleep(20);
    }
    throw new Error(`${this.#command} does not listen on port ${port}:\n${this.#output.slice(-2000)}`);
  }

  /** Asks it to end, and makes it end when it does not. */
  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS);
    await this.ended.catch(() => undefined);
    clearTimeout(timer);
  }
}

/** Runs a command to its end. @throws unless it succeeds in time. */
export async function run(command: Command, timeoutMs: number): Promise<string> {
  const child = new Child(command);
  const timer = setTimeout(() => void child.stop(), timeoutMs);
  const code = await child.ended.finally(() => clearTimeout(timer));
  if (code === 0) return child.output;
  throw new Error(`${command.argv.join(' ')} ended with ${code ?? 'a signal'}:\n${child.output.slice(-2000)}`);
}

function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

/** A TCP port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

export interface CpuTime {
  /** Microseconds on a core. */
  readonly used: number;
  /** Microseconds ready to run while others had the core. */
  readonly waited: number;
}

/** Of all threads so far, as the kernel's scheduler counts it (Linux). */
export function cpuTime(pid: number): CpuTime {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ').map(Number),
  );
  const sum = (field: number) => threads.reduce((total, times) => total + (times[field] ?? 0), 0) / 1000;
  return { used: sum(0), waited: sum(1) };
}

/** The most memory that the process has had resident so far, in octets (Linux). */
export function peakMemory(pid: number): number {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return Number(kilobytes ?? Number.NaN) * 1024;
}
