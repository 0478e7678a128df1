import { printable } from './printable.ts';

const MIN_WIDTH = 6;
const GAP = 3;

/** The last cell is not filled up. */
const lineOf = (cells: readonly string[], widths: readonly number[]): string =>
  cells.map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('');

/** A table whose rows are written as they come: a column that once was wide stays so. */
export class TableWriter {
  readonly #header: readonly string[];
  readonly #widths: number[];
  #begun = false;

  constructor(header: readonly string[]) {
    this.#header = header;
    this.#widths = header.map((title) => title.length);
  }

  /** The next row, below the header where it is the first. */
  row(cells: readonly string[]): string {
    const lines = this.#begun ? [cells] : [this.#header, cells];
    this.#begun = true;
    const printed = cells.map(printable);
    for (const [column, cell] of printed.entries()) {
      this.#widths[column] = Math.max(this.#widths[column] ?? 0, cell.length);
    }
    const widths = this.#widths.map((width) => Math.max(MIN_WIDTH, width + GAP));
    return lines.map((line) => `${lineOf(line.map(printable), widths)}\n`).join('');
  }
}

/** Columns as kubectl sets them: as wide as their widest cell and three spaces, the last one not filled up. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((cells) => cells.map(printable));
  const widths = header.map((_, column) =>
    lines.reduce((width, cells) => Math.max(width, (cells[column] ?? '').length + GAP), MIN_WIDTH),
  );
  return lines.map((cells) => `${lineOf(cells, widths)}\n`).join('');
}
