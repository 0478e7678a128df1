import { printable } from './printable.ts';

const MIN_WIDTH = 6;
const GAP = 3;

/** Columns as kubectl sets them: as wide as their widest cell and three spaces, the last one not filled up. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((cells) => cells.map(printable));
  const widths = header.map((_, column) =>
    lines.reduce((width, cells) => Math.max(width, (cells[column] ?? '').length + GAP), MIN_WIDTH),
  );
  const last = header.length - 1;
  const lineOf = (cells: readonly string[]): string =>
    cells.map((cell, column) => (column === last ? cell : cell.padEnd(widths[column] ?? 0))).join('');
  return lines.map((cells) => `${lineOf(cells)}\n`).join('');
}
