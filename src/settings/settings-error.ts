import type { SettingError } from '../settings.ts';

/** The settings cannot be used; the message says everything that is wrong with them, a line each. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly errors: readonly SettingError[];

  constructor(errors: readonly SettingError[]) {
    super(errors.map(({ message }) => message).join('\n'));
    this.errors = errors;
  }
}
