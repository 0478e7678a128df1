import type { RegistryWriter } from '../../src/registry/writer.ts';
import { figure, mean, median, printTable } from '../measure/report.ts';
import { type Bill, Meter } from './meter.ts';
import { PoolFiller } from './pool-filler.ts';
import { autoEntry, deadline, openRegistry, type Registry, slotsOf } from './registry.ts';

/** What some allocations cost, each a new entry with one new host. */
interface Level {
  readonly fill: string;
  readonly bills: readonly Bill[];
  readonly milliseconds: readonly number[];
}

export interface CostResult {
  /** At any fill. */
  readonly mostRoundTrips: number;
  /** Round trips at 99.9 % over those at 0 %. */
  readonly ratio: number;
  readonly duplicates: number;
}

/** Enough for a mean; all levels together take fewer than the 65 slots that are free at 99.9 %. */
const ALLOCATIONS = 20;
const FEW = 5;
const HOUR_MS = 3_600_000;

class Measurement {
  readonly #registry: Registry;
  readonly #held = new Set<number>();
  readonly #levels: Level[] = [];
  duplicates = 0;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  get levels(): readonly Level[] {
    return this.#levels;
  }

  /** A process with a meter on its calls. */
  start(): { readonly meter: Meter; readonly allocate: (host: string) => Promise<void> } {
    const { client, writer } = this.#registry.another();
    return { meter: new Meter(client), allocate: (host) => this.#allocate(writer, host) };
  }

  async #allocate(writer: RegistryWriter, host: string): Promise<void> {
    const entry = autoEntry('bench', host.replaceAll('.', '-'), [host]);
    const slots = slotsOf(await writer.apply(entry, {}, deadline()), this.#registry.pool);
    for (const slot of slots) {
      if (this.#held.has(slot)) this.duplicates++;
      this.#held.add(slot);
    }
  }

  /** By one process that knows the suffix: its first write, which is not counted, made that findable. */
  async warm(fill: string, count = ALLOCATIONS): Promise<Level> {
    const { meter, allocate } = this.start();
    await allocate(`first-${this.#levels.length}.bench.example.com`);
    const hosts = Array.from({ length: count }, (_, i) => `service-${this.#levels.length}-${i}.bench.example.com`);
    return this.#measure(fill, hosts, () => ({ meter, allocate }));
  }

  /** By processes that have just started, each below a suffix of its own. */
  async cold(fill: string): Promise<Level> {
    const hosts = Array.from({ length: FEW }, (_, i) => `service.team-${this.#levels.length}-${i}.test`);
    return this.#measure(`${fill}, first of a process and of its suffix`, hosts, () => this.start());
  }

  async #measure(fill: string, hosts: readonly string[], processFor: () => ReturnType<Measurement['start']>) {
    const bills: Bill[] = [];
    const milliseconds: number[] = [];
    for (const host of hosts) {
      const { meter, allocate } = processFor();
      meter.take();
      const started = performance.now();
      await allocate(host);
      milliseconds.push(performance.now() - started);
      bills.push(meter.take());
    }
    const level = { fill, bills, milliseconds };
    this.#levels.push(level);
    return level;
  }
}

const each = ({ bills }: Level, what: keyof Bill): number[] => bills.map((bill) => bill[what]);
const most = (level: Level): number => Math.max(...each(level, 'roundTrips'));
const ratioOf = (level: Level, base: Level): number => mean(each(level, 'roundTrips')) / mean(each(base, 'roundTrips'));

const rowOf = (level: Level, base: Level): string[] => [
  level.fill,
  figure(mean(each(level, 'roundTrips'))),
  String(most(level)),
  figure(ratioOf(level, base)),
  figure(mean(each(level, 'calls'))),
  figure(mean(each(level, 'reads'))),
  figure(mean(each(level, 'writes'))),
  figure(median(level.milliseconds)),
];

/** Allocations one after another while the pool fills up, and while it gives back what was released. */
export async function measureAllocationCost(): Promise<CostResult> {
  const registry = await openRegistry();
  const filler = new PoolFiller(registry, registry.pool);
  const measurement = new Measurement(registry);
  const empty = await measurement.warm('0 %');
  await measurement.cold('0 %');
  for (const share of [0.5, 0.99]) {
    await filler.fill(share);
    await measurement.warm(`${share * 100} %`);
  }
  await filler.fill(0.999);
  const nearlyFull = await measurement.warm('99.9 %');
  await measurement.cold('99.9 %');
  await filler.fill(1);
  await filler.release(65, Date.now() - HOUR_MS);
  await measurement.warm('99.9 %, the rest are tombstones that are over');
  await filler.release(Number.POSITIVE_INFINITY, Date.now() + 24 * HOUR_MS);
  await measurement.warm('99.9 % tombstones that are not over', FEW);
  await registry.close();

  printTable(
    'One allocation (a new entry with one new host), by the fill of the default pool: means of each',
    ['fill', 'round trips', 'most', '÷ 0 %', 'calls', 'read units', 'write units', 'ms, embedded'],
    measurement.levels.map((level) => rowOf(level, empty)),
  );
  return {
    mostRoundTrips: Math.max(...measurement.levels.map(most)),
    ratio: ratioOf(nearlyFull, empty),
    duplicates: measurement.duplicates,
  };
}
