import { parseDocument } from 'yaml';
import type { SettingError } from '../settings.ts';

export type SettingsFile =
  | { readonly ok: true; readonly file: unknown }
  | { readonly ok: false; readonly errors: readonly SettingError[] };

/** What a settings file says, yet to be validated. Apart from the rest, so that who has no file carries no YAML. */
export function parseSettingsFile(text: string, fileName: string): SettingsFile {
  const document = parseDocument(text, { prettyErrors: true });
  const problems = document.errors.map(({ message }) => message.split('\n', 1)[0] ?? message);
  try {
    if (problems.length === 0) return { ok: true, file: document.toJS() };
  } catch (error) {
    // Aliases that expand without end.
    problems.push((error as Error).message);
  }
  return {
    ok: false,
    errors: problems.map((problem) => ({
      setting: '',
      value: undefined,
      origin: fileName,
      message: `${fileName} is not YAML: ${problem.replace(/:$/, '')}`,
    })),
  };
}
