import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { keepObjectsYoung } from '../young-objects.ts';
import { capture, release } from './capture/command.ts';
import type { Command, CommandIo, CommandOptions } from './command.ts';
import { doctor, status } from './doctor/command.ts';
import { install, uninstall } from './install/command.ts';
import { messageOf } from './message-of.ts';
import { run } from './run.ts';
import { readShimSettings, SETTINGS_FILE, SHIM_FLAGS } from './settings.ts';
import { SHIM_KEYS, type ShimKey } from './settings-keys.ts';
import { listeners } from './vips/command.ts';

interface Entry {
  readonly summary: string;
  readonly command: Command;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  run: { summary: 'answer DNS until told to stop', command: run },
  install: { summary: 'make this host ask the shim', command: install },
  uninstall: { summary: 'put everything back as it was', command: uninstall },
  status: { summary: 'say whether names of this host come here, and are answered', command: status },
  doctor: { summary: 'find what is in the way, and say what to do', command: doctor },
  capture: { summary: "as root, point this host's resolver at the running shim", command: capture },
  release: { summary: 'as root, give DNS back to the system', command: release },
  listeners: { summary: 'list virtual IPs, their ports and where they lead', command: listeners },
};

class UsageError extends Error {
  override readonly name = 'UsageError';
}

const OPTIONS = {
  settings: { type: 'string' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
  yes: { type: 'boolean', short: 'y' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

/** Seen by every user of the host, in the list of processes. */
const SECRETS = /^--(token|password|secret|authorization|bearer)(=|$)/;

async function main(argv: readonly string[]): Promise<number> {
  const secret = argv.find((argument) => SECRETS.test(argument));
  if (secret !== undefined) {
    throw new UsageError(
      `${SECRETS.exec(secret)?.[0].replace('=', '')}: a credential on a command line can be read by others: put it in a file, and give --token-file`,
    );
  }
  const { values, positionals } = parsed(argv);
  const [name, ...rest] = positionals;
  if (values.version) return print(`meshdoh-shim ${VERSION}`);
  if (values.help || name === undefined) return print(usage());
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined || rest.length > 0) {
    throw new UsageError(`unknown: ${[entry ? rest[0] : name]}; known are ${Object.keys(COMMANDS).join(', ')}`);
  }
  const io = processIo(values);
  return entry.command(io.readSettings(), io);
}

type Parsed = Readonly<Record<string, unknown>>;

function parsed(argv: readonly string[]): { values: Parsed; positionals: readonly string[] } {
  try {
    return parseArgs({ args: [...argv], options: { ...SHIM_FLAGS, ...OPTIONS }, allowPositionals: true });
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error });
  }
}

function processIo(values: Parsed): CommandIo {
  const settingsFile = typeof values.settings === 'string' ? values.settings : SETTINGS_FILE;
  const reading = () => {
    const read = readShimSettings({
      file: settingsText(settingsFile, values.settings !== undefined),
      flags: values,
      privileged: process.getuid?.() === 0,
    });
    if (!read.ok) throw new UsageError(read.errors.join('\n'));
    return read;
  };
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    options: optionsOf(values),
    settingsFile,
    get given() {
      return reading().given;
    },
    readSettings: () => reading().settings,
  };
}

const optionsOf = (values: Parsed): CommandOptions => ({
  dryRun: values['dry-run'] === true,
  json: values.json === true,
  yes: values.yes === true,
});

function settingsText(name: string, isRequired: boolean): { name: string; text: string } | undefined {
  if (!isRequired && !existsSync(name)) return undefined;
  try {
    return { name, text: readFileSync(name, 'utf8') };
  } catch (error) {
    throw new UsageError(`cannot read ${name}: ${messageOf(error)}`, { cause: error });
  }
}

/** Replaced by the bundler. */
declare const MESHDOH_VERSION: string | undefined;
const VERSION = typeof MESHDOH_VERSION === 'string' ? MESHDOH_VERSION : '(from its sources)';

function usage(): string {
  const commands = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(11)}${summary}`);
  const flags = (Object.keys(SHIM_KEYS) as ShimKey[]).map((key) => {
    const { placeholder, help, repeatable } = SHIM_KEYS[key];
    return `  --${`${key} ${placeholder}`.padEnd(34)}${help}${repeatable ? ' (repeatable)' : ''}`;
  });
  return `Usage: meshdoh-shim COMMAND [flags]

Answers the DNS of this host over a DNS-over-HTTPS endpoint.

Commands:
${commands.join('\n')}

Flags, which are also the keys of ${SETTINGS_FILE} ("key = value") and win over them:
${flags.join('\n')}

Other flags:
  --settings FILE                     another settings file
  --dry-run, --json, --yes            of install, status and doctor
  --version, --help`;
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

/**
 * Node lets its young generation grow to more than all of the shim's memory, for a speed that DNS of one host does not
 * need. Whoever sets its size has thought about it.
 */
if (!process.execArgv.some((flag) => flag.includes('semi-space'))) setFlagsFromString('--semi-space-growth-factor=1');
keepObjectsYoung();

const NEEDED_NODE = 22;

try {
  if (Number.parseInt(process.versions.node, 10) < NEEDED_NODE) {
    throw new UsageError(`Node ${NEEDED_NODE} or later is needed, and this is ${process.version}`);
  }
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const known = error instanceof Error && (error instanceof UsageError || /^(Shim|Capture)/.test(error.name));
  process.stderr.write(`meshdoh-shim: ${known ? error.message : error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
}
