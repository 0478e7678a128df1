import type { SettingError } from '../settings.ts';
import { KEYS, type Key } from './keys.ts';
import { nearestName } from './nearest-name.ts';
import { entriesOf, shown } from './reading.ts';

export interface SettingSources {
  /** The content of a settings file, parsed. */
  readonly file?: unknown;
  /** What errors call the file. */
  readonly fileName?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Options of the command line, camel-cased: `queryTimeoutMs`, `ttlVip`. Those that are no settings are left alone. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

/** A value that somebody wrote. */
export interface Given {
  readonly value: unknown;
  /** The file, the variable or the flag. */
  readonly origin: string;
}

export interface Collected {
  /** The winner for each key. */
  readonly given: ReadonlyMap<Key, Given>;
  readonly errors: readonly SettingError[];
}

type Finding = readonly [Key, Given];
type Findings = readonly (Finding | SettingError)[];

const isError = (found: Finding | SettingError): found is SettingError => 'message' in found;

const PREFIX = 'MESHDOH_';

/** They configure the client side of the command line, and name the settings file. */
const NO_SETTINGS: ReadonlySet<string> = new Set(['MESHDOH_SERVER', 'MESHDOH_TOKEN_FILE', 'MESHDOH_SETTINGS']);

const GROUPS: readonly string[] = [
  ...new Set(KEYS.filter((key) => key.includes('.')).map((key) => key.split('.')[0] ?? '')),
];

/** Groups before their members, whose own variables and flags win. */
const NAMES: readonly string[] = [...GROUPS, ...KEYS];

const isKey = (name: string): name is Key => (KEYS as readonly string[]).includes(name);

const membersOf = (group: string): string[] => KEYS.filter((key) => key.startsWith(`${group}.`));

const variableOf = (name: string): string => PREFIX + name.replace('.', '_').replace(/[A-Z]/g, '_$&').toUpperCase();

const optionOf = (name: string): string => name.replace(/\.(.)/, (_, first: string) => first.toUpperCase());

/** `--ttl-vip` */
export const flagOf = (name: string): string => `--${name.replace('.', '-').replace(/[A-Z]/g, '-$&').toLowerCase()}`;

/** File, then environment, then flags: of each key, the last one given. */
export function collect({ file, fileName = 'settings file', environment, flags = {} }: SettingSources): Collected {
  const findings = [...fromFile(file, fileName), ...fromEnvironment(environment), ...fromFlags(flags)];
  return {
    given: new Map(findings.filter((found): found is Finding => !isError(found))),
    errors: findings.filter(isError),
  };
}

function fromFile(file: unknown, fileName: string): Findings {
  if (file === undefined || file === null) return [];
  if (typeof file !== 'object' || Array.isArray(file)) {
    const message = `${fileName} is ${shown(file)}: expected a mapping of settings`;
    return [{ setting: '', value: file, origin: fileName, message }];
  }
  return Object.entries(file).flatMap(([name, value]) => expand(name, value, fileName));
}

function fromEnvironment(environment: SettingSources['environment']): Findings {
  const known = new Map(NAMES.map((name) => [variableOf(name), name]));
  const findings = [...known].flatMap(([variable, name]) => {
    const value = environment[variable];
    return value === undefined ? [] : expand(name, value, variable);
  });
  const unknown = Object.keys(environment).filter(
    (variable) => variable.startsWith(PREFIX) && !known.has(variable) && !NO_SETTINGS.has(variable),
  );
  return [...findings, ...unknown.map((variable) => unknownVariable(variable, [...known.keys(), ...NO_SETTINGS]))];
}

function fromFlags(flags: Readonly<Record<string, unknown>>): Findings {
  return NAMES.flatMap((name) => {
    const value = flags[optionOf(name)];
    return value === undefined ? [] : expand(name, value, flagOf(name));
  });
}

/** One setting, or each setting of a group. */
function expand(name: string, value: unknown, origin: string): Findings {
  if (isKey(name)) return [[name, { value, origin }]];
  if (!GROUPS.includes(name)) return [unknownSetting(name, origin)];
  const entries = entriesOf(value);
  if (!entries) {
    const members = membersOf(name).map((key) => key.slice(name.length + 1));
    return [settingError(name, { value, origin }, `expected a mapping of ${members.join(', ')}`)];
  }
  return entries.map(([member, given]) => {
    const key = `${name}.${member}`;
    return isKey(key) ? [key, { value: given, origin }] : unknownSetting(key, origin);
  });
}

export const settingError = (setting: string, { value, origin }: Given, reason: string): SettingError => ({
  setting,
  value,
  origin,
  message: `setting "${setting}" (${origin}) is ${shown(value)}: ${reason}`,
});

function unknownSetting(setting: string, origin: string): SettingError {
  const nearest = nearestName(setting, NAMES);
  const hint = nearest === undefined ? `known are ${NAMES.join(', ')}` : `did you mean "${nearest}"?`;
  return { setting, value: undefined, origin, message: `setting "${setting}" (${origin}) is unknown: ${hint}` };
}

/** Its value is not shown: it could be somebody's secret. */
function unknownVariable(variable: string, known: readonly string[]): SettingError {
  const nearest = nearestName(variable, known);
  const hint = nearest === undefined ? '' : `: did you mean ${nearest}?`;
  return { setting: variable, value: undefined, origin: variable, message: `variable ${variable} is unknown${hint}` };
}
