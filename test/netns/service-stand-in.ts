import { Running, run, sleep, until } from './commands.ts';
import { asUser } from './shim-in-vm.ts';
import type { VmHost } from './vm-host.ts';

const POLL_MS = 50;
const UNITS = '/etc/systemd/system';

/** What services on a VM of these tests, and those who install them, run. */
export const SERVICE_TOOLS = ['setpriv', 'unshare', 'nsenter', 'socat', 'systemd-notify', 'useradd'] as const;

/**
 * Does with a unit of the VM what systemd would, for there is none: starts it as its user, waits for READY=1, kills it
 * with `WatchdogSignal` when WATCHDOG=1 stays away for `WatchdogSec`, runs `ExecStartPost` and `ExecStopPost` as root
 * and starts it again after `RestartSec`. It watches the paths of its path unit as well.
 */
export class ServiceStandIn {
  readonly #vm: VmHost;
  readonly #unit: ReadonlyMap<string, readonly string[]>;
  readonly #notified: Running;
  readonly #socket: string;
  readonly #execStart: readonly string[] | undefined;
  #main: Running | undefined;
  #wanted = true;
  #ended: Promise<void> = Promise.resolve();
  #said = '';

  private constructor(vm: VmHost, unit: string, notified: Running, socket: string, execStart?: readonly string[]) {
    this.#execStart = execStart;
    this.#vm = vm;
    this.#unit = parseUnit(unit);
    this.#notified = notified;
    this.#socket = socket;
  }

  /** `execStart`: another command in place of the unit's. */
  static async start(vm: VmHost, execStart?: readonly string[]): Promise<ServiceStandIn> {
    const unit = await vm.read(`${UNITS}/meshdoh-shim.service`);
    const socket = '/run/notify.sock';
    await vm.run('rm', '-f', socket);
    const [nsenter, ...args] = vm.enter('socat', '-u', `UNIX-RECV:${socket},mode=0666`, 'STDOUT');
    const notified = new Running(nsenter, args);
    await until(async () => (await vm.run('test', '-S', socket)).code === 0, 5000);
    const service = new ServiceStandIn(vm, unit, notified, socket, execStart);
    const watching = Promise.withResolvers<void>();
    service.#ended = Promise.all([service.#supervise(), service.#watchPaths(watching.resolve)]).then(() => undefined);
    await watching.promise;
    await until(() => service.#main !== undefined && notified.output.includes('READY=1'), 15_000);
    return service;
  }

  /** What its commands have said so far. */
  get output(): string {
    return this.#said + (this.#main?.output ?? '');
  }

  get pid(): number {
    return this.#main?.pid ?? 0;
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    this.#main?.signal('SIGTERM');
    await this.#ended;
    await this.#notified.end('SIGKILL');
    await this.#vm.run('rm', '-f', this.#socket);
  }

  async #supervise(): Promise<void> {
    while (this.#wanted) {
      await this.#runOnce();
      if (this.#wanted) await sleep(Number(this.#one('RestartSec')) * 1000);
    }
  }

  async #runOnce(): Promise<void> {
    const before = this.#notified.output.length;
    const said = () => this.#notified.output.slice(before);
    const user = this.#one('User');
    const capabilities = this.#one('AmbientCapabilities').split(' ').filter(Boolean);
    await this.#vm.must('install', '-d', '-o', user, `/var/lib/${this.#one('StateDirectory')}`);
    const [nsenter, ...args] = this.#vm.enter(
      ...asUser(user, capabilities, this.#execStart ?? this.#one('ExecStart').split(' ')),
    );
    const main = new Running(nsenter, args, {
      NOTIFY_SOCKET: this.#socket,
      WATCHDOG_USEC: String(this.#watchdogMs * 1000),
    });
    this.#main = main;
    await until(() => main.hasEnded || said().includes('READY=1'), 15_000, POLL_MS);
    if (!main.hasEnded) await this.#runAll('ExecStartPost');
    await this.#watch(main);
    this.#said += main.output;
    this.#main = undefined;
    await this.#runAll('ExecStopPost');
  }

  /** Until it ends, by itself or because it has not said that it lives. */
  async #watch(main: Running): Promise<void> {
    let heard = Date.now();
    let length = this.#notified.output.length;
    while (!main.hasEnded) {
      await sleep(POLL_MS);
      if (this.#notified.output.length !== length) heard = Date.now();
      length = this.#notified.output.length;
      if (Date.now() - heard < this.#watchdogMs) continue;
      this.#said += `no sign of life for ${this.#watchdogMs} ms: killed\n`;
      await main.end(this.#one('WatchdogSignal') as NodeJS.Signals);
    }
  }

  /** The path unit and the service that it starts. `watching` is told once no change goes unseen. */
  async #watchPaths(watching: () => void): Promise<void> {
    const units = ['path', 'service'].map((kind) => this.#vm.read(`${UNITS}/meshdoh-shim-resolver.${kind}`));
    const [path, service] = (await Promise.all(units).catch(() => [])).map(parseUnit);
    if (path === undefined || service === undefined) return watching();
    const look = () => Promise.all((path.get('PathChanged') ?? []).map((one) => this.#identity(one)));
    let seen = String(await look());
    watching();
    while (this.#wanted) {
      await sleep(4 * POLL_MS);
      const now = String(await look());
      if (now !== seen) await this.#runAll('ExecStart', service);
      seen = now;
    }
  }

  /** Changes when the file is written or replaced. */
  async #identity(path: string): Promise<string> {
    return (await this.#vm.run('stat', '-c', '%i %y %z', path)).stdout;
  }

  get #watchdogMs(): number {
    return Number(this.#one('WatchdogSec')) * 1000;
  }

  #one(key: string): string {
    return this.#unit.get(key)?.[0] ?? '';
  }

  async #runAll(key: string, unit = this.#unit): Promise<void> {
    for (const line of unit.get(key) ?? []) {
      const [nsenter, ...args] = this.#vm.enter(...line.replace(/^[-+]+/, '').split(' '));
      const { stdout, stderr } = await run(nsenter, ...args);
      this.#said += stdout + stderr;
    }
  }
}

function parseUnit(text: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, key, value = ''] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined) values.set(key, [...(values.get(key) ?? []), value]);
  }
  return values;
}
