import { messageOf } from '../message-of.ts';
import {
  type Capture,
  type CaptureOptions,
  CaptureRefusedError,
  type CaptureSettings,
  type CaptureState,
} from './capture.ts';
import { CaptureStatus } from './capture-status.ts';
import { HostFiles, isNotPermitted } from './host-files.ts';
import { refuseLoop } from './loop.ts';
import { ResolverFiles, type RunCommand, zonesPath } from './resolver-files.ts';
import { runCommand } from './run-command.ts';

/** How often the files are looked at; somebody who took DNS back has it no longer than this. */
const CHECK_MS = 5000;
/** Self-checks that fail in a row before DNS goes back to the system. */
const FAILURES = 2;

const WAITING = 'the resolver is not pointed here yet: "meshdoh-shim capture" does that, as root';

export interface ResolverCaptureOptions extends CaptureOptions {
  readonly checkMs?: number;
  readonly run?: RunCommand;
}

/**
 * Points the host's own resolver at us. Where the files are root's and we are not, root applies them when we are ready
 * and takes them back when we end (the unit does both): then we watch and tell.
 */
export class ResolverCapture implements Capture {
  readonly #settings: CaptureSettings;
  readonly #options: ResolverCaptureOptions;
  readonly #host: HostFiles;
  readonly #files: ResolverFiles;
  readonly #status: CaptureStatus;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> = Promise.resolve();

  constructor(settings: CaptureSettings, options: ResolverCaptureOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#status = new CaptureStatus(options.log);
    this.#host = new HostFiles(options.root);
    this.#files = new ResolverFiles(settings, { host: this.#host, run: options.run ?? runCommand });
  }

  state(): CaptureState {
    return this.#status.state;
  }

  /** @throws CaptureRefusedError for a loop, or where no file of this host can name us. */
  async start(): Promise<void> {
    const plan = await this.#files.plan([]);
    if (!plan.ok) throw new CaptureRefusedError(plan.reason);
    await refuseLoop(this.#host, this.#settings);
    await this.#check();
    this.#schedule();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#checking;
    clearTimeout(this.#timer);
    await this.#release();
    this.#status.become({ kind: 'off' });
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#checking = this.#check().then(() => {
        if (this.#timer !== undefined) this.#schedule();
      });
    }, this.#options.checkMs ?? CHECK_MS);
    this.#timer.unref();
  }

  async #check(): Promise<void> {
    try {
      if (await this.#options.selfCheck()) await this.#apply();
      else await this.#fail();
    } catch (error) {
      this.#status.become({ kind: 'failed', reason: messageOf(error) });
    }
  }

  async #apply(): Promise<void> {
    this.#failures = 0;
    const zones = this.#options.zones?.() ?? [];
    await this.#tellZones(zones);
    try {
      const { how, written } = await this.#files.apply(zones);
      if (this.#status.state.kind === 'on' && written.length > 0) {
        this.#options.log(`DNS had been taken back: ${written.join(' and ')} put right`);
      }
      this.#status.become({ kind: 'on', how });
    } catch (error) {
      if (!isNotPermitted(error)) throw error;
      this.#status.become({ kind: 'failed', reason: WAITING });
    }
  }

  async #fail(): Promise<void> {
    if (++this.#failures < FAILURES) return;
    await this.#release();
    this.#status.become({ kind: 'failed', reason: 'the shim does not answer at its own address' });
  }

  async #release(): Promise<void> {
    try {
      await this.#files.restore();
    } catch (error) {
      if (!isNotPermitted(error)) throw error;
    }
  }

  async #tellZones(zones: readonly string[]): Promise<void> {
    const path = zonesPath(this.#settings.stateDir);
    const text = `${JSON.stringify(zones)}\n`;
    if ((await this.#host.read(path)) !== text) await this.#host.write(path, text);
  }
}
