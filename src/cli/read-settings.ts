import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { KEYS } from '../settings/keys.ts';
import { SettingsError } from '../settings/settings-error.ts';
import { parseSettingsFile } from '../settings/settings-file.ts';
import { flagOf } from '../settings/sources.ts';
import { resolveSettings, type Settings } from '../settings.ts';
import { SETTING_MEANINGS } from './setting-meanings.ts';
import { readTextFileSync } from './text-file.ts';

const DEFAULT_FILE = 'meshdoh.yaml';

/** Every setting as a flag of its own, which wins over `MESHDOH_*` and the settings file. */
export function addSettingOptions(command: Command): Command {
  command.option('--settings <file>', `settings file (default: ${DEFAULT_FILE}, if there is one)`);
  command.optionsGroup('Settings (flags win over MESHDOH_* variables, and these over the file):');
  for (const key of KEYS) command.option(`${flagOf(key)} <value>`, SETTING_MEANINGS[key]);
  return command;
}

interface SettingsPlace {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Settings that take the place of the defaults for this command. */
  readonly preset?: Readonly<Record<string, unknown>>;
}

interface SettingsSource {
  readonly path: string;
  /** Who named it, for whoever is told that it cannot be read. */
  readonly namedBy: string;
}

function sourceOf(flag: unknown, { cwd, environment }: SettingsPlace): SettingsSource | undefined {
  if (typeof flag === 'string') return { path: flag, namedBy: '--settings' };
  const named = environment.MESHDOH_SETTINGS;
  if (named) return { path: named, namedBy: 'MESHDOH_SETTINGS' };
  const path = join(cwd, DEFAULT_FILE);
  return existsSync(path) ? { path, namedBy: 'found in this folder' } : undefined;
}

function readFile({ path, namedBy }: SettingsSource, cwd: string): unknown {
  const parsed = parseSettingsFile(readTextFileSync(resolve(cwd, path), `${path} (${namedBy})`), path);
  if (!parsed.ok) throw new SettingsError(parsed.errors);
  return parsed.file;
}

/** @throws SettingsError with every problem at once; CommandFailure where the file cannot be read. */
export function readSettings(flags: Readonly<Record<string, unknown>>, place: SettingsPlace): Settings {
  const { cwd, environment, preset = {} } = place;
  const source = sourceOf(flags.settings, place);
  const content = source && readFile(source, cwd);
  const file =
    typeof content === 'object' && content !== null && !Array.isArray(content)
      ? { ...preset, ...content }
      : (content ?? preset);
  const resolved = resolveSettings({ file, ...(source ? { fileName: source.path } : {}), environment, flags });
  if (!resolved.ok) throw new SettingsError(resolved.errors);
  return resolved.settings;
}
