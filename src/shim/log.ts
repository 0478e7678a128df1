import type { LogLevel } from './settings-keys.ts';

/** Lines for the journal. No credential and no name that was asked for is in any of them. */
export interface Log {
  /** Something needs somebody. */
  warn(line: string): void;
  info(line: string): void;
  debug(line: string): void;
}

/** Warnings are told at every level. */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const silent = () => undefined;
  return {
    warn: (line) => write(`warning: ${line}`),
    info: level === 'quiet' ? silent : write,
    debug: level === 'debug' ? write : silent,
  };
}
