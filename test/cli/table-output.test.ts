import { expect, it } from 'vitest';
import { formatTable } from '../../src/cli/table-output.ts';

it('sets columns as wide as their widest cell, and fills up all but the last', () => {
  const table = formatTable(
    ['A', 'NAME', 'LAST'],
    [
      ['x', 'longer', ''],
      ['', 'n', 'end'],
    ],
  );
  expect(table).toBe(['A     NAME     LAST', 'x     longer   ', '      n        end', ''].join('\n'));
});

it('shows what a terminal would obey', () => {
  expect(formatTable(['A'], [['\u001b[2J\u202e\n']])).toContain('\\u001b[2J\\u202e');
});
