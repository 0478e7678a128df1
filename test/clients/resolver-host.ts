import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const LAUNCH = join(import.meta.dirname, '../../src/cli/launch.mjs');
const OUTSIDE = join(import.meta.dirname, 'outside-zone.ts');
const START_TIMEOUT_MS = 30_000;
const CLIENT_TIMEOUT_MS = 60_000;
const RESOLV_CONF = 'nameserver 127.0.0.1\n';

/** Enters the namespaces before the program starts, with loopback up and the resolver where $1 says. */
const ISOLATE = 'mount --bind "$1" /etc/resolv.conf && ip link set lo up && shift && exec "$@"';

async function says(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  let output = '';
  const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
  const collect = (text: Buffer) => {
    output += text;
    const match = pattern.exec(output);
    if (match) resolve(match);
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  child.once('exit', (code) => reject(new Error(`ended with ${code}:\n${output}`)));
  const timer = setTimeout(() => reject(new Error(`did not say ${pattern}:\n${output}`)), START_TIMEOUT_MS);
  return promise.finally(() => clearTimeout(timer));
}

/**
 * A host whose only resolver is `meshdoh start` on port 53: a network and a mount namespace, which end with their last
 * process.
 */
export class ResolverHost {
  readonly folder: string;
  readonly #server: ChildProcess;
  readonly #upstream: ChildProcess;

  static async start(): Promise<ResolverHost> {
    const folder = await mkdtemp(join(tmpdir(), 'meshdoh-clients-'));
    const resolvConf = join(folder, 'resolv.conf');
    await writeFile(resolvConf, RESOLV_CONF);
    const isolated = ['-n', '-m', '--', 'sh', '-c', ISOLATE, 'sh', resolvConf, process.execPath];
    const upstream = spawn('unshare', [...isolated, OUTSIDE], { cwd: folder });
    const [url] = await says(upstream, /http:\S+/);
    const inside = ['-t', String(upstream.pid), '-n', '-m', '--', process.execPath, LAUNCH, 'start'];
    const addresses = ['--dns', '127.0.0.1:53', '--listen', '127.0.0.1:8053', '--https', '127.0.0.1:8443'];
    const server = spawn('nsenter', [...inside, ...addresses, '--upstreams', url], { cwd: folder });
    await says(server, /Ctrl-C stops it/);
    return new ResolverHost(folder, server, upstream);
  }

  private constructor(folder: string, server: ChildProcess, upstream: ChildProcess) {
    this.folder = folder;
    this.#server = server;
    this.#upstream = upstream;
  }

  /** What a program there writes; its exit code is part of what it says, so it is no error here. */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    const outcome = await this.#execute(program, args).catch((error: { stdout: string; stderr: string }) => error);
    return outcome.stdout + outcome.stderr;
  }

  async apply(...objects: readonly object[]): Promise<void> {
    const file = join(this.folder, 'entries.yaml');
    await writeFile(file, objects.map((object) => JSON.stringify(object)).join('\n---\n'));
    await this.#execute(process.execPath, [LAUNCH, 'apply', '-f', file]);
  }

  #execute(program: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
    const inside = ['-t', String(this.#upstream.pid), '-n', '-m', '--', program, ...args];
    const options = { cwd: this.folder, timeout: CLIENT_TIMEOUT_MS, maxBuffer: 2 ** 24 };
    return promisify(execFile)('nsenter', inside, options);
  }

  async close(): Promise<void> {
    for (const child of [this.#server, this.#upstream]) {
      const exited = child.exitCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGTERM');
      await exited;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}
