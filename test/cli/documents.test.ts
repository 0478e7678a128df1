import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { program } from '../../src/cli/main.ts';
import { Metrics } from '../../src/http/metrics.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const textOf = (file: string): string => readFileSync(join(DOCS, file), 'utf8');

describe('docs/cli.md', () => {
  it('has every verb', () => {
    const verbs = program()
      .commands.map((command) => command.name())
      .filter((name) => !name.startsWith('__'));
    const [, table = ''] = textOf('cli.md').split('| verb | does |');
    const told = [...(table.split('\n## ')[0] ?? '').matchAll(/^\| `(\w+)` \|/gm)].map(([, verb = '']) => verb);
    expect(told.sort()).toEqual(verbs.sort());
  });
});

describe('docs/metrics.md', () => {
  it('has every metric of its own, by name, kind and labels', async () => {
    const metrics = new Metrics('1');
    metrics.watchPools({ pools: async () => [] });
    metrics.watchCache(() => ({ hits: 0, misses: 0, stale: 0, octets: 0, entries: 0 }));
    const kinds = [...(await metrics.scrape()).matchAll(/^# TYPE (meshdoh_\w+) (\w+)$/gm)];
    const told = [...textOf('metrics.md').matchAll(/^\| `(meshdoh_\w+)` \| (\w+) \|/gm)];
    const asLines = (matches: RegExpExecArray[]) => matches.map(([, name, kind]) => `${name} ${kind}`).sort();
    expect(asLines(told)).toEqual(asLines(kinds));
  });
});

describe.each(['operate.md', 'cli.md', 'metrics.md'])('docs/%s', (file) => {
  it('links to files that are there', () => {
    const links = [...textOf(file).matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !existsSync(join(DOCS, link)))).toEqual([]);
  });
});
