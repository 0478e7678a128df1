import { resolveSettings, type SettingError, type Settings } from '../settings.ts';

/** What a function runs with: its registry is always a DynamoDB table. */
export interface DeployedSettings extends Settings {
  readonly table: string;
  /** Where the table is, if not where the SDK looks by itself. */
  readonly location: { readonly region?: string; readonly endpoint?: string };
}

/** All that is wrong with the settings, a line each. */
export class InvalidSettingsError extends Error {
  override readonly name = 'InvalidSettingsError';
  readonly errors: readonly SettingError[];

  constructor(errors: readonly SettingError[]) {
    super(errors.map(({ message }) => message).join('\n'));
    this.errors = errors;
  }
}

/** @throws InvalidSettingsError: a function has nobody to show them to, and must not run with them. */
export function deployedSettings(environment: Readonly<Record<string, string | undefined>>): DeployedSettings {
  const resolved = resolveSettings({ environment });
  if (!resolved.ok) throw new InvalidSettingsError(resolved.errors);
  const { store } = resolved.settings;
  if (store.kind !== 'dynamodb') {
    const message = 'a function keeps its registry in DynamoDB only: set MESHDOH_STORE to "dynamodb"';
    throw new InvalidSettingsError([{ setting: 'store', value: store.kind, origin: 'MESHDOH_STORE', message }]);
  }
  const { kind: _, table, ...location } = store;
  return { ...resolved.settings, table, location };
}
