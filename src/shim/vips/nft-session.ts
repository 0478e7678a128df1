import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { NftError, PATH } from '../capture/nft-command.ts';

/**
 * Ends the output of a transaction: it prints a line, and asks the kernel nothing (nft prints nothing of its own when
 * all went well, and to list anything it would read every element of every set first).
 */
const MARK = 'describe ipv4_addr';
const MARKED = /^datatype ipv4_addr .*\n$/m;

const TIMEOUT_MS = 5000;

type Nft = ChildProcessByStdio<Writable, Readable, null>;

/** One nft that is kept open: a change costs a write to a pipe, not the start of a process. */
export class NftSession {
  #nft: Nft | undefined;
  #said = '';
  #waiting: ((outcome: NftError | undefined) => void) | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Runs commands as one transaction, after those that were sent before.
   *
   * @throws NftError when nothing of it was done.
   */
  send(commands: readonly string[]): Promise<void> {
    const sent = this.#last.then(() => this.#transact(commands.join('; ')));
    this.#last = sent.catch(() => undefined);
    return sent;
  }

  close(): void {
    this.#nft?.stdin.end();
    this.#nft = undefined;
  }

  async #transact(line: string): Promise<void> {
    const nft = this.#nft ?? this.#open();
    this.#said = '';
    const timer = setTimeout(() => this.#lost(nft, 'no answer from nft'), TIMEOUT_MS);
    const failure = await new Promise<NftError | undefined>((resolve) => {
      this.#waiting = resolve;
      nft.stdin.write(`${line}\n${MARK}\n`);
    });
    clearTimeout(timer);
    if (failure) throw failure;
  }

  #open(): Nft {
    // In one stream, so that what went wrong comes before the mark. The shell is replaced by nft.
    const nft = spawn('sh', ['-c', 'exec nft -i 2>&1'], { stdio: ['pipe', 'pipe', 'ignore'], env: { PATH } });
    nft.stdout.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    nft.stdin.on('error', () => undefined);
    nft.on('error', ({ message }) => this.#lost(nft, message));
    nft.on('close', () => this.#lost(nft, this.#said.trim().split('\n')[0] || 'nft ended'));
    nft.unref();
    this.#nft = nft;
    return nft;
  }

  #hear(text: string): void {
    this.#said += text;
    const mark = MARKED.exec(this.#said);
    if (mark === null) return;
    const before = this.#said.slice(0, mark.index).trim();
    this.#settle(before === '' ? undefined : new NftError(before.split('\n')[0]));
  }

  #lost(nft: Nft, message: string): void {
    if (this.#nft !== nft) return;
    this.#nft = undefined;
    nft.kill();
    this.#settle(new NftError(message));
  }

  #settle(outcome: NftError | undefined): void {
    this.#waiting?.(outcome);
    this.#waiting = undefined;
  }
}
