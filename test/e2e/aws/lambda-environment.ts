import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

export type Outcome =
  | { readonly kind: 'result'; readonly result: string | undefined }
  | { readonly kind: 'fault'; readonly error: unknown };

type Message =
  | Outcome
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'log'; readonly line: string };

export interface EnvironmentOptions {
  readonly files: ReadonlyMap<string, Buffer>;
  /** `folder/file.export` */
  readonly handler: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly clock: Float64Array;
  /** PEM of an authority to trust besides the usual ones. */
  readonly ca: string;
  readonly log: (line: string) => void;
}

const RUNTIME = new URL('./lambda-runtime.ts', import.meta.url);

/** One execution environment: a thread with the function's code and variables, frozen between invocations. */
export class LambdaEnvironment {
  readonly #worker: Worker;
  readonly #gate = new Int32Array(new SharedArrayBuffer(4));
  readonly #folder: string;
  readonly #timeoutMs: number;
  readonly #log: (line: string) => void;
  readonly #initialised = Promise.withResolvers<void>();
  #settle: ((outcome: Outcome) => void) | undefined;
  #count = 0;
  isDead = false;

  constructor({ files, handler, variables, timeoutMs, clock, ca, log }: EnvironmentOptions) {
    this.#timeoutMs = timeoutMs;
    this.#log = log;
    this.#folder = mkdtempSync(join(tmpdir(), 'meshdoh-lambda-'));
    const [, path = '', name = ''] = /^(.*)\.(\w+)$/.exec(handler) ?? [];
    const code = [...files].find(([file]) => file.replace(/\.[cm]?js$/, '') === path && /\.[cm]?js$/.test(file));
    if (!code) throw new Error(`the archive holds no ${path}: ${[...files.keys()].join(', ')}`);
    // Only the code, so that whatever else it needs is missed here, too.
    const file = join(this.#folder, code[0]);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, code[1]);
    this.#gate[0] = 1;
    this.#worker = new Worker(RUNTIME, {
      env: { ...variables },
      workerData: { module: pathToFileURL(file).href, handler: name, gate: this.#gate, clock, ca },
    });
    this.#worker.on('message', (message: Message) => this.#receive(message));
    this.#worker.on('error', (error) => this.#die(error));
    this.#initialised.promise.catch(() => undefined);
  }

  /** Thaws, hands over the event and waits for the result. One at a time. */
  async invoke(event: unknown): Promise<Outcome> {
    Atomics.store(this.#gate, 0, 1);
    Atomics.notify(this.#gate, 0);
    const outcome = Promise.withResolvers<Outcome>();
    this.#settle = outcome.resolve;
    // The time of a function counts from the end of its initialisation.
    await this.#initialised.promise.catch(() => undefined);
    const timer = setTimeout(() => {
      this.#die(new Error(`Task timed out after ${this.#timeoutMs / 1000} seconds`));
    }, this.#timeoutMs);
    if (!this.isDead) this.#worker.postMessage({ id: `request-${++this.#count}`, event: JSON.stringify(event) });
    return outcome.promise.finally(() => clearTimeout(timer));
  }

  async close(): Promise<void> {
    this.isDead = true;
    Atomics.store(this.#gate, 0, 1);
    Atomics.notify(this.#gate, 0);
    await this.#worker.terminate();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #receive(message: Message): void {
    if (message.kind === 'log') this.#log(message.line);
    else if (message.kind === 'ready') this.#initialised.resolve();
    else if (message.kind === 'failed') this.#die(message.error);
    else this.#settle?.(message);
  }

  #die(error: unknown): void {
    this.isDead = true;
    this.#initialised.reject(error);
    this.#settle?.({ kind: 'fault', error });
    void this.close();
  }
}
