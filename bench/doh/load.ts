import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuTime, run } from '../measure/child.ts';
import { print } from '../measure/report.ts';
import type { Requirement, RunningServer } from './server.ts';
import { TARGETS } from './zone.ts';

export const H2LOAD: Requirement = { command: 'h2load', package: 'nghttp2-client' };
export const WRK: Requirement = { command: 'wrk', package: 'wrk' };
export const TASKSET: Requirement = { command: 'taskset', package: 'util-linux' };

export interface LoadPlace {
  readonly folder: string;
  readonly core: number;
}

export interface Load {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

export interface Shape {
  readonly connections: number;
  /** Requests outstanding on each. */
  readonly streams: number;
}

const GRACE_MS = 5_000;

const number = (pattern: RegExp, text: string): number => Number(pattern.exec(text)?.[1] ?? Number.NaN);

interface Generator {
  readonly argv: readonly [string, ...string[]];
  /** Good answers, from its output; NaN when too many were not. */
  readonly answersIn: (output: string) => number;
}

/** Runs a generator and charges the server's CPU time to the queries that were answered. */
async function measured(
  server: RunningServer,
  { argv, answersIn }: Generator,
  seconds: number,
  { folder, core }: LoadPlace,
): Promise<Load> {
  const before = cpuTime(server.child.pid).used;
  const output = await run({ argv, cwd: folder, core }, seconds * 1000 + GRACE_MS);
  const cpu = cpuTime(server.child.pid).used - before;
  const answered = answersIn(output);
  if (!(answered > 0)) throw new Error(`too few good answers:\n${output.slice(-2000)}`);
  return { perSecond: answered / seconds, cpuMicroseconds: cpu / answered };
}

/** h2load now and then does not end when its time is over: one more try. */
async function measuredTwice(server: RunningServer, generator: Generator, seconds: number, place: LoadPlace) {
  const fault = (cause: unknown) => new Error(`${generator.argv[0]} on ${server.name} failed`, { cause });
  try {
    return await measured(server, generator, seconds, place);
  } catch (error) {
    print(`again: ${fault(error).message}: ${error instanceof Error ? error.message.split('\n', 1)[0] : error}`);
    return measured(server, generator, seconds, place).catch((cause: unknown) => Promise.reject(fault(cause)));
  }
}

/** As many queries over HTTP/2 and TLS as the server takes. */
export function loadH2(server: RunningServer, { connections, streams }: Shape, seconds: number, place: LoadPlace) {
  const urls = join(place.folder, `urls-${server.port}`);
  writeFileSync(urls, TARGETS.map((target) => `https://127.0.0.1:${server.port}${target}`).join('\n'));
  const shape = ['-c', String(connections), '-m', String(streams)];
  const answersIn = (output: string) => {
    const [done, good] = [number(/(\d+) done,/, output), number(/status codes: (\d+) 2xx/, output)];
    return good >= done * 0.99 ? good : Number.NaN;
  };
  const argv = ['h2load', '-t', '1', '-D', String(seconds), ...shape, '-i', urls] as const;
  return measuredTwice(server, { argv, answersIn }, seconds, place);
}

const WRK_SCRIPT = `
local targets = {${TARGETS.map((target) => `"${target}"`).join(', ')}}
local n = 0
request = function()
  n = n % #targets + 1
  return wrk.format("GET", targets[n])
end
`;

/** As many queries over HTTP/1.1 as the server takes. */
export function loadH1(server: RunningServer, { connections }: Shape, seconds: number, place: LoadPlace) {
  const script = join(place.folder, 'targets.lua');
  writeFileSync(script, WRK_SCRIPT);
  const shape = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`];
  const answersIn = (output: string) =>
    /Non-2xx|Socket errors/.test(output) ? Number.NaN : number(/(\d+) requests in/, output);
  const argv = ['wrk', ...shape, '-s', script, `http://127.0.0.1:${server.port}`] as const;
  return measuredTwice(server, { argv, answersIn }, seconds, place);
}
