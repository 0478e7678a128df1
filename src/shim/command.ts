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

/** To a command that can do nothing without an endpoint. */
export const endpointMissing = ({ settingsFile }: CommandIo): string =>
  `meshdoh-shim: "endpoint" is missing: give it in ${settingsFile} or as --endpoint URL\n`;

/** One sub-command; resolves to the exit code. */
export type Command = (settings: ShimSettings, io: CommandIo) => Promise<number>;
