import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const TIMEOUT_MS = 30_000;

/** Runs a command to its end; its exit code is part of what it says. */
export function run(command: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: TIMEOUT_MS, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
      resolve({ code, stdout, stderr: stderr || (error && code === 255 ? error.message : '') });
    });
  });
}

/** The same, and it has to succeed. */
export async function must(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, ...args);
  if (code !== 0)
    throw new Error(`${[command, ...args].join(' ')} ended with ${code}: ${stderr}${stdout.slice(-2000)}`);
  return stdout;
}

/** A process that goes on, and what it has said so far. */
export class Running {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  output = '';

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.#ended = once(this.#child, 'close').catch(() => undefined);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async says(text: string, timeoutMs = 20_000): Promise<void> {
    const said = await until(() => this.hasEnded || this.output.includes(text), timeoutMs);
    if (!said || !this.output.includes(text)) throw new Error(`expected "${text}", and it said:\n${this.output}`);
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.hasEnded) this.#child.kill(signal);
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.signal(signal);
    await this.#ended;
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Whether it came true in time. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  timeoutMs: number,
  everyMs = 50,
): Promise<boolean> {
  for (const end = Date.now() + timeoutMs; ; ) {
    if (await holds()) return true;
    if (Date.now() > end) return false;
    await sleep(everyMs);
  }
}

const ASK_EVERY_MS = 100;

/** Milliseconds until the first time that it holds; begun again and again, for one may hang. Infinity: not in time. */
export async function millisecondsUntil(holds: () => Promise<boolean>, timeoutMs: number): Promise<number> {
  const begun = Date.now();
  let took = Number.POSITIVE_INFINITY;
  const asked: Promise<void>[] = [];
  const ask = async () => {
    if (await holds()) took = Math.min(took, Date.now() - begun);
  };
  while (took === Number.POSITIVE_INFINITY && Date.now() - begun < timeoutMs) {
    asked.push(ask());
    await sleep(ASK_EVERY_MS);
  }
  await Promise.all(asked);
  return took;
}

const PACKAGE_OF: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  dig: 'bind9-dnsutils',
  dnsmasq: 'dnsmasq-base',
  dnsperf: 'dnsperf',
  iperf3: 'iperf3',
  haproxy: 'haproxy',
  socat: 'socat',
  conntrack: 'conntrack',
  tcpdump: 'tcpdump',
  setpriv: 'util-linux',
  unshare: 'util-linux',
};

/** Root and these commands, or an error that says what to do. */
export function need(...commands: string[]): void {
  if (process.getuid?.() !== 0) throw new Error('network namespaces need root: sudo npm run test:netns');
  const missing = commands.filter((command) => spawnSync('which', [command]).status !== 0);
  const packages = [...new Set(missing.map((command) => PACKAGE_OF[command] ?? command))];
  if (missing.length > 0) throw new Error(`${missing.join(', ')} missing: apt-get install ${packages.join(' ')}`);
}
