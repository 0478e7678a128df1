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

/** What a Status says, with several causes a line each. */
export function statusText({ message = '', details }: Status): string {
  const causes = details?.causes ?? [];
  if (causes.length < 2) return message;
  const lines = causes.map(({ field, message: why }) => (field === '' ? `* ${why}` : `* ${field}: ${why}`));
  return [`${details?.kind}.${details?.group} "${details?.name}" is invalid:`, ...lines].join('\n');
}

/** A refusal in kubectl's words; `during` says what was being done. */
export const refusalText = (status: Status, during?: string): string =>
  `Error from server (${status.reason ?? 'Unknown'}): ${during === undefined ? '' : `${during}: `}${statusText(status)}`;

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
