import type { Status } from '../http/status.ts';
import type { Io } from './io.ts';
import { printable } from './printable.ts';

/** The command cannot go on; the message tells whoever typed it why, and what to do. */
export class CommandFailure extends Error {
  override readonly name: string = 'CommandFailure';
}

/** The server refused, with a Status that concerns the whole command. */
export class ServerRefusal extends CommandFailure {
  override readonly name = 'ServerRefusal';
  readonly status: Status;

  constructor(status: Status) {
    super(refusalText(status));
    this.status = status;
  }
}

/** A refusal in kubectl's words; `during` says what was being done. */
export function refusalText({ reason = 'Unknown', message = '', details }: Status, during?: string): string {
  const causes = details?.causes ?? [];
  const what =
    causes.length > 1
      ? [
          `${details?.kind}.${details?.group} "${details?.name}" is invalid:`,
          ...causes.map(({ field, message: why }) => (field === '' ? `* ${why}` : `* ${field}: ${why}`)),
        ].join('\n')
      : message;
  return `Error from server (${reason}): ${during === undefined ? '' : `${during}: `}${what}`;
}

/** Writes one failure to stderr, and makes the command end with exit code 1. */
export function reportFailure(io: Io, text: string): void {
  io.stderr.write(`${printable(text)}\n`);
  io.setExitCode(1);
}

/** The action of a verb: its failures are reported; faults of the program are not, and go on. */
export const reporting =
  <A extends unknown[]>(io: Io, action: (...args: A) => Promise<void>) =>
  async (...args: A): Promise<void> => {
    try {
      await action(...args);
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      reportFailure(io, error instanceof ServerRefusal ? error.message : `error: ${error.message}`);
    }
  };
