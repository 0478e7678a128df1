import { cpus, loadavg, release } from 'node:os';

/** The middle value (of two, their mean); NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The smallest value that at least `share` of all values do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Three significant digits at most: more would claim more than was measured. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

/** `median (min–max)`; just the value when there is one. */
export function spread(values: readonly number[]): string {
  if (values.length === 0) return '-';
  if (values.length === 1) return figure(median(values));
  return `${figure(median(values))} (${figure(Math.min(...values))}–${figure(Math.max(...values))})`;
}

export const megabytes = (octets: number): string => `${figure(octets / 2 ** 20)} MB`;

export const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** A Markdown table whose columns also line up in a terminal. */
export function printTable(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  print(`\n${title}\n\n${[line(head), rule, ...rows.map(line)].join('\n')}`);
}

/** What the figures depend on besides the code. */
export function printMachine(): void {
  const [cpu] = cpus();
  const load = loadavg().map((value) => value.toFixed(1));
  print(
    `machine: ${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${process.platform} ${release()}, ` +
      `Node ${process.versions.node}, load ${load.join(' ')}`,
  );
}
