import { fileURLToPath } from 'node:url';
import { cpuTime, run } from '../measure/child.ts';
import { median, print, spread } from '../measure/report.ts';
import { type Load, type LoadPlace, loadH1, loadH2, type Shape } from './load.ts';
import type { Protocol, RunningServer } from './server.ts';

/** One figure of each server, round by round. */
export type Series = ReadonlyMap<string, readonly number[]>;

/** The ratio of two servers, round by round: what disturbs a round disturbs both. */
export function ratios(series: Series, of: string, to: string): number[] {
  const [above = [], below = []] = [series.get(of), series.get(to)];
  return above.map((value, round) => value / (below[round] ?? Number.NaN)).filter(Number.isFinite);
}

export const ratioText = (series: Series, of: string, to: string): string => spread(ratios(series, of, to));

const seriesOf = <T>(results: ReadonlyMap<string, readonly T[]>, figure: (result: T) => number): Series =>
  new Map([...results].map(([name, all]) => [name, all.map(figure)]));

/** What open-loop.ts prints. */
interface OpenLoop {
  readonly errors: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
}

const OPEN_LOOP = fileURLToPath(new URL('open-loop.ts', import.meta.url));
const GRACE_MS = 15_000;

/** Measures servers in turn, A B C … A B C …: what changes on the machine meanwhile meets all of them. */
export class Rounds {
  readonly #rounds: number;
  readonly #seconds: number;
  readonly #place: LoadPlace;
  /** Of each run, the share of its time for which the server was ready to run and others had its core. */
  readonly #disturbances: number[] = [];

  constructor(rounds: number, seconds: number, place: LoadPlace) {
    this.#rounds = rounds;
    this.#seconds = seconds;
    this.#place = place;
  }

  /** The median over all runs. */
  get disturbance(): number {
    return median(this.#disturbances);
  }

  async #interleave<T>(servers: readonly RunningServer[], once: (server: RunningServer) => Promise<T>) {
    const results = new Map<string, T[]>(servers.map(({ name }) => [name, []]));
    for (let round = 0; round < this.#rounds; round++) {
      for (const server of servers) {
        const [started, { waited }] = [performance.now(), cpuTime(server.child.pid)];
        results.get(server.name)?.push(await once(server));
        const elapsed = (performance.now() - started) * 1000;
        this.#disturbances.push((cpuTime(server.child.pid).waited - waited) / elapsed);
      }
    }
    return results;
  }

  /** As many queries as each server takes. */
  async throughput(servers: readonly RunningServer[], protocol: Protocol, shape: Shape) {
    const load = protocol === 'h2' ? loadH2 : loadH1;
    for (const server of servers) await load(server, shape, this.#seconds, this.#place);
    const loads = await this.#interleave<Load>(servers, (server) => load(server, shape, this.#seconds, this.#place));
    return {
      perSecond: seriesOf(loads, (one) => one.perSecond),
      cpu: seriesOf(loads, (one) => one.cpuMicroseconds),
    };
  }

  /** Latencies when each server is asked half of the most it took. */
  async latency(servers: readonly RunningServer[], most: Series) {
    const runs = await this.#interleave(servers, (server) =>
      this.#ask(server, Math.round(median(most.get(server.name) ?? []) / 2)),
    );
    return { p50: seriesOf(runs, (one) => one.p50), p99: seriesOf(runs, (one) => one.p99) };
  }

  async #ask({ name, port }: RunningServer, perSecond: number): Promise<OpenLoop> {
    const { folder, core } = this.#place;
    const command = [process.execPath, OPEN_LOOP, ...[port, perSecond, this.#seconds].map(String)];
    const limitMs = this.#seconds * 3000 + GRACE_MS;
    const output = await run({ argv: command as [string, ...string[]], cwd: folder, core }, limitMs);
    const result = JSON.parse(output) as OpenLoop;
    if (result.errors > 0)
      print(`${name}: ${result.errors} of ${perSecond * this.#seconds} queries had no good answer`);
    return result;
  }
}
