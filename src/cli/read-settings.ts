import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { KEYS } from '../settings/keys.ts';
import { SettingsError } from '../settings/settings-error.ts';
import { parseSettingsFile } from '../settings/settings-file.ts';
import { flagOf } from '../settings/sources.ts';
import { resolveSettings, type Settings } from '../settings.ts';

const DEFAULT_FILE = 'meshdoh.yaml';

/** Every setting as a flag of its own, which wins over `MESHDOH_*` and the settings file. */
export function addSettingOptions(command: Command): Command {
  command.option('--settings <file>', `settings file (default: ${DEFAULT_FILE}, if there is one)`);
  command.optionsGroup('Settings (flags win over MESHDOH_* variables, and these over the file):');
  for (const key of KEYS) command.option(`${flagOf(key)} <value>`, `setting ${key}`);
  return command;
}

interface SettingsPlace {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Settings that take the place of the defaults for this command. */
  readonly preset?: Readonly<Record<string, unknown>>;
}

function readFile(path: string): unknown {
  const parsed = parseSettingsFile(readFileSync(path, 'utf8'), path);
  if (!parsed.ok) throw new SettingsError(parsed.errors);
  return parsed.file;
}

/** @throws SettingsError with every problem at once. */
export function readSettings(flags: Readonly<Record<string, unknown>>, place: SettingsPlace): Settings {
  const { cwd, environment, preset = {} } = place;
  const named = (flags.settings as string | undefined) ?? environment.MESHDOH_SETTINGS;
  const path = join(cwd, DEFAULT_FILE);
  const fileName = named ?? (existsSync(path) ? path : undefined);
  const content = fileName === undefined ? undefined : readFile(fileName);
  const file =
    typeof content === 'object' && content !== null && !Array.isArray(content)
      ? { ...preset, ...content }
      : (content ?? preset);
  const resolved = resolveSettings({ file, ...(fileName === undefined ? {} : { fileName }), environment, flags });
  if (!resolved.ok) throw new SettingsError(resolved.errors);
  return resolved.settings;
}
