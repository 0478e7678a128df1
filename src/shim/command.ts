import type { ShimGiven, ShimSettings } from './settings.ts';

/** What a command may touch of the process it runs in, so that a test runs it as a terminal does. */
export interface CommandIo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly options: CommandOptions;
  /** The winners among what file and flags said, so that `install` can write them down. */
  readonly given: readonly ShimGiven[];
  /** The settings file; it need not exist. */
  readonly settingsFile: string;
  /** The settings as file and flags give them at the time of the call. @throws Error that says what is wrong. */
  readSettings(): ShimSettings;
}

/** Flags that are no settings. */
export interface CommandOptions {
  /** Say what would be done. */
  readonly dryRun: boolean;
  /** JSON for programs. */
  readonly json: boolean;
  /** Ask nothing. */
  readonly yes: boolean;
}

/** For a command that ends well: what it says, and its exit code. */
export function printed({ stdout }: CommandIo, text: string): number {
  stdout.write(`${text}\n`);
  return 0;
}

/** For a command that cannot do what it is for: why, and its exit code. */
export function failed({ stderr }: CommandIo, reason: string): number {
  stderr.write(`meshdoh-shim: ${reason}\n`);
  return 1;
}

/** To a command that can do nothing without an endpoint. */
export const endpointMissing = ({ settingsFile }: CommandIo): string =>
  `"endpoint" is missing: give it in ${settingsFile} or as --endpoint URL`;

/** One sub-command; resolves to the exit code. */
export type Command = (settings: ShimSettings, io: CommandIo) => Promise<number>;
