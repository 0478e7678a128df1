import { resolveSettings, type Settings, type Store } from '../settings.ts';
import { SettingsError } from './settings-error.ts';

/** What a function runs with: its registry is always a DynamoDB table. */
export interface DeployedSettings extends Settings {
  readonly store: Extract<Store, { kind: 'dynamodb' }>;
}

/** @throws SettingsError: a function has nobody to show them to, and must not run with them. */
export function deployedSettings(environment: Readonly<Record<string, string | undefined>>): DeployedSettings {
  const resolved = resolveSettings({ environment });
  if (!resolved.ok) throw new SettingsError(resolved.errors);
  const { store } = resolved.settings;
  if (store.kind === 'dynamodb') return { ...resolved.settings, store };
  const message = 'a function keeps its registry in DynamoDB only: set MESHDOH_STORE to "dynamodb"';
  throw new SettingsError([{ setting: 'store', value: store.kind, origin: 'MESHDOH_STORE', message }]);
}
