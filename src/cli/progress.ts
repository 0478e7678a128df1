import type { Io } from './io.ts';

const MANY = 50;
const CLEAR_LINE = '\r\x1b[K';

/** A line at the bottom of a terminal that says how far a long command is; nothing for a short one, or elsewhere. */
export interface Progress {
  /** Takes the line away, so that something else can be written. */
  clear(): void;
  /** One more is done. */
  step(): void;
}

const SILENT: Progress = { clear: () => undefined, step: () => undefined };

export function createProgress(what: string, total: number, { stderr, isTerminal }: Io): Progress {
  if (!isTerminal || total <= MANY) return SILENT;
  let done = 0;
  return {
    clear: () => stderr.write(CLEAR_LINE),
    step: () => {
      done += 1;
      stderr.write(`${CLEAR_LINE}${what} ${done} of ${total}`);
    },
  };
}
