import { spawn } from 'node:child_process';

/** systemd, or whoever speaks its protocol (sd_notify). */
export interface ServiceManager {
  /** `READY=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=…`. Never rejects: without a manager there is nobody to tell. */
  tell(...states: readonly string[]): Promise<void>;
  /** How often it wants a sign of life; undefined: never. */
  readonly watchdogMs: number | undefined;
}

const TIMEOUT_MS = 5_000;
const PATH = '/usr/bin:/bin';

/**
 * Node has no datagram sockets of the UNIX family, so `systemd-notify` says it: a process of a few milliseconds every
 * half interval. The unit needs `NotifyAccess=all`, because it is that process that speaks.
 */
export function serviceManager(environment: Readonly<Record<string, string | undefined>>, pid: number): ServiceManager {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment;
  const watchdogMs = Number(WATCHDOG_USEC) / 1000;
  const isOurs = WATCHDOG_PID === undefined || WATCHDOG_PID === String(pid);
  return {
    watchdogMs: NOTIFY_SOCKET && isOurs && watchdogMs > 0 ? watchdogMs : undefined,
    tell: (...states) => (NOTIFY_SOCKET === undefined ? Promise.resolve() : notify(NOTIFY_SOCKET, states)),
  };
}

function notify(socket: string, states: readonly string[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const env = { PATH, NOTIFY_SOCKET: socket };
  const child = spawn('systemd-notify', states, { env, stdio: 'ignore', timeout: TIMEOUT_MS });
  child.once('error', () => resolve());
  child.once('close', () => resolve());
  return promise;
}
