import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseSettingsFile } from '../src/settings/settings-file.ts';
import { resolveSettings } from '../src/settings.ts';

const ROOT = join(import.meta.dirname, '..');
const DOCUMENTS = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'bench/README.md'],
  ...globSync('docs/*.md', { cwd: join(import.meta.dirname, '..') }),
];
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

describe('what the documents say', () => {
  it('the settings of the README are accepted', () => {
    const block = /```yaml\n(listen:[\s\S]*?)```/.exec(textOf('README.md'))?.[1] ?? '';
    const parsed = parseSettingsFile(block, 'README.md');
    if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
    const resolved = resolveSettings({ file: parsed.file, fileName: 'README.md', environment: {} });
    expect(resolved.ok ? [] : resolved.errors).toEqual([]);
  });

  it.each(DOCUMENTS)('%s links to files that are there', (document) => {
    const links = [...textOf(document).matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((match) => match[1] ?? '');
    expect(links.filter((link) => !existsSync(join(ROOT, dirname(document), link)))).toEqual([]);
  });

  it.each(DOCUMENTS)('%s names npm scripts that exist', (document) => {
    const { scripts } = JSON.parse(textOf('package.json'));
    const named = [...textOf(document).matchAll(/npm run ([\w:]+)/g)].map((match) => match[1] ?? '');
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });
});
