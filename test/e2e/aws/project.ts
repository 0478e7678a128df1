import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoopbackAws } from './loopback-aws.ts';
import type { AccessKey } from './signature.ts';

const ROOT = join(import.meta.dirname, '../../..');
const DEPLOYED = ['package.json', 'serverless.yml', 'functions', 'infra', 'src'];
const SERVERLESS = join(ROOT, 'node_modules/serverless/bin/serverless.js');
const MESHDOH = join(ROOT, 'src/cli/launch.mjs');

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(file: string, args: readonly string[], cwd: string, env: Record<string, string>): Promise<CommandResult> {
  const { promise, resolve } = Promise.withResolvers<CommandResult>();
  execFile(process.execPath, [file, ...args], { cwd, env }, (error, stdout, stderr) => {
    resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr });
  });
  return promise;
}

/** A copy of what is deployed, which can be changed, and the commands of somebody who works with it. */
export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), 'meshdoh-deploy-'));
  readonly #aws: LoopbackAws;
  readonly #running = new Set<ChildProcess>();

  constructor(aws: LoopbackAws) {
    this.#aws = aws;
    for (const path of DEPLOYED) cpSync(join(ROOT, path), join(this.folder, path), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(this.folder, 'node_modules'));
    writeFileSync(this.ca, aws.certificate.ca);
  }

  /** Of the certificate authority of front doors. */
  get ca(): string {
    return join(this.folder, 'ca.pem');
  }

  /** `npx serverless …` with these credentials and nothing else. @throws with its output unless it succeeds. */
  async serverless(deployer: AccessKey, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await run(SERVERLESS, args, this.folder, {
      ...this.#environment(deployer),
      SLS_AWS_MONITORING_FREQUENCY: '100',
    });
    if (code !== 0) throw new Error(`serverless ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
    return stdout + stderr;
  }

  meshdoh(user: AccessKey, ...args: readonly string[]): Promise<CommandResult> {
    return run(MESHDOH, args, ROOT, this.#environment(user));
  }

  /** `meshdoh proxy` in front of a deployment; its URL. */
  async proxy(user: AccessKey, server: string): Promise<string> {
    const args = [MESHDOH, 'proxy', '--server', server, '--cacert', this.ca, '--port', '0'];
    const child = spawn(process.execPath, args, { cwd: ROOT, env: this.#environment(user) });
    this.#running.add(child);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let said = '';
    const listen = (chunk: Buffer) => {
      said += chunk;
      const url = /on (http:\/\/\S+)/.exec(said)?.[1];
      if (url) resolve(url);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('exit', () => reject(new Error(`meshdoh proxy ended:\n${said}`)));
    return promise;
  }

  /** A change that somebody makes before they deploy again. */
  edit(path: string, from: string, to: string): void {
    const file = join(this.folder, path);
    const text = readFileSync(file, 'utf8');
    if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
    writeFileSync(file, text.replace(from, to));
  }

  close(): void {
    for (const child of this.#running) child.kill('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  #environment(key: AccessKey): Record<string, string> {
    return { PATH: process.env.PATH ?? '', HOME: this.folder, TZ: 'UTC', ...this.#aws.environmentOf(key) };
  }
}
