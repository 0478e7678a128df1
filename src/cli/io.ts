export interface Output {
  write(text: string): unknown;
}

/** What a verb may touch of the process it runs in, so that a test runs it as a terminal does. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The working folder, absolute. */
  readonly cwd: string;
  /** Whether stderr is a terminal, which progress is for. */
  readonly isTerminal: boolean;
  /** Whether stdout is a terminal that colours are wanted on. */
  readonly hasColours: boolean;
  /** Ends what goes on by itself. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Says how the command ended; it does not end it. */
  readonly setExitCode: (code: number) => void;
}

/** A reader that has seen enough (`meshdoh get | head`) ends the command in silence, as SIGPIPE would. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
}

function openProcessIo(): Io {
  process.stdout.on('error', endWithReader);
  process.stderr.on('error', endWithReader);
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    environment: process.env,
    cwd: process.cwd(),
    isTerminal: process.stderr.isTTY === true,
    hasColours: process.stdout.isTTY === true && process.stdout.hasColors(),
    // SIGINT ends the process as a whole.
    signal: new AbortController().signal,
    now: Date.now,
    setExitCode: (code) => {
      process.exitCode = code;
    },
  };
}

let opened: Io | undefined;

/** That of this process; one for all verbs. */
export function processIo(): Io {
  opened ??= openProcessIo();
  return opened;
}
