import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, cpuTime, run } from '../measure/child.ts';
import { NAMES, ZONE } from './zone.ts';

export interface LoadPlace {
  readonly folder: string;
  readonly core: number;
  readonly seconds: number;
}

export interface Load {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
  /** Seconds, of all answers. */
  readonly meanLatency: number;
  readonly lostShare: number;
}

export interface Shape {
  readonly mode: 'udp' | 'tcp';
  readonly clients: number;
  readonly outstanding: number;
  /** Undefined: as many as it takes. */
  readonly perSecond?: number;
  /** Every query for a name of its own. */
  readonly isMiss?: boolean;
}

const GRACE_MS = 10_000;
const number = (pattern: RegExp, text: string): number => Number(pattern.exec(text)?.[1] ?? Number.NaN);

let files = 0;

/** Names that no cache has seen, or the hundred that all caches have. */
function queryFile(folder: string, isMiss: boolean): string {
  const path = join(folder, `queries-${files++}`);
  const run = `${process.pid}-${files}`;
  const names = isMiss ? Array.from({ length: 200_000 }, (_, n) => `m${n}-${run}.${ZONE}`) : NAMES;
  writeFileSync(path, `${names.map((name) => `${name} A`).join('\n')}\n`);
  return path;
}

/** Runs dnsperf and charges the program's CPU time to the queries that were answered. */
export async function load(child: Child, port: number, shape: Shape, place: LoadPlace): Promise<Load> {
  const { mode, clients, outstanding, perSecond, isMiss = false } = shape;
  const { folder, core, seconds } = place;
  const before = cpuTime(child.pid).used;
  const output = await run(
    {
      argv: [
        ...(['dnsperf', '-s', '127.0.0.1', '-p', String(port), '-m', mode, '-d', queryFile(folder, isMiss)] as const),
        ...['-l', String(seconds), '-c', String(clients), '-q', String(outstanding), '-t', '2'],
        ...(perSecond === undefined ? [] : ['-Q', String(perSecond)]),
      ],
      cwd: folder,
      core,
    },
    seconds * 1000 + GRACE_MS,
  );
  const answered = number(/Queries completed:\s+(\d+)/, output);
  const noError = number(/NOERROR \d+ \(([\d.]+)%\)/, output);
  if (!(answered > 0) || noError < 99) throw new Error(`too few good answers:\n${output.slice(-2000)}`);
  return {
    perSecond: number(/Queries per second:\s+([\d.]+)/, output),
    cpuMicroseconds: (cpuTime(child.pid).used - before) / answered,
    meanLatency: number(/Average Latency \(s\):\s+([\d.]+)/, output),
    lostShare: number(/Queries lost:\s+\d+ \(([\d.]+)%\)/, output) / 100,
  };
}
