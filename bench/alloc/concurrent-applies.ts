import { figure, median, percentile, print, printTable } from '../measure/report.ts';
import { distantDynamoDb } from './conflicts.ts';
import { Meter } from './meter.ts';
import { PoolFiller } from './pool-filler.ts';
import { deadline, numberedEntry, openRegistry, slotsOf } from './registry.ts';

export interface ConcurrencyResult {
  readonly errors: number;
  readonly duplicates: number;
}

interface Crowd {
  readonly applies: number;
  /** How much of the pool is taken before. */
  readonly fill: number;
}

const CROWDS: readonly Crowd[] = [
  { applies: 200, fill: 0 },
  { applies: 1000, fill: 0 },
  { applies: 200, fill: 0.99 },
];

/** Writers that know nothing of each other, as many functions at once would. */
const PROCESSES = 8;
/** Of one call, as within a Region. */
const LATENCY_MS = 5;

async function applyAtOnce({ applies, fill }: Crowd) {
  const registry = await openRegistry();
  await new PoolFiller(registry, registry.pool).fill(fill);
  const distant = distantDynamoDb(LATENCY_MS);
  const processes = Array.from({ length: PROCESSES }, () => registry.another(distant));
  const meters = processes.map(({ client }) => new Meter(client));
  const milliseconds: number[] = [];
  const started = performance.now();
  const outcomes = await Promise.allSettled(
    Array.from({ length: applies }, async (_, n) => {
      const outcome = await processes[n % PROCESSES]?.writer.apply(numberedEntry(n), {}, deadline());
      milliseconds.push(performance.now() - started);
      return outcome ? slotsOf(outcome, registry.pool) : [];
    }),
  );
  const wallMs = performance.now() - started;
  await registry.close();
  const slots = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed)
    print(`\nthe first of the failures: ${failed.reason instanceof Error ? failed.reason.stack : failed.reason}`);
  const bills = meters.map((meter) => meter.take());
  return {
    applies,
    fill,
    wallMs,
    milliseconds,
    errors: applies - slots.length,
    duplicates: slots.length - new Set(slots).size,
    total: (what: 'calls' | 'transactions' | 'conflicts' | 'refusals') =>
      bills.reduce((sum, bill) => sum + bill[what], 0),
  };
}

type Result = Awaited<ReturnType<typeof applyAtOnce>>;

const rowOf = ({ applies, fill, wallMs, milliseconds, errors, duplicates, total }: Result): string[] => [
  `${applies} at ${fill * 100} %`,
  String(errors),
  String(duplicates),
  `${figure(wallMs / 1000)} s`,
  `${figure(median(milliseconds))} / ${figure(percentile(milliseconds, 0.99))}`,
  String(total('calls')),
  String(total('transactions')),
  String(total('conflicts')),
  String(total('refusals')),
];

/** Many applies at the same instant, of entries that have nothing in common. */
export async function measureConcurrentApplies(): Promise<ConcurrencyResult> {
  const results: Result[] = [];
  for (const crowd of CROWDS) results.push(await applyAtOnce(crowd));
  printTable(
    `Applies at the same instant, by ${PROCESSES} processes, ${LATENCY_MS} ms a call (everything shares one thread here)`,
    [
      'applies',
      'errors',
      'duplicates',
      'wall',
      'p50 / p99 ms',
      'calls',
      'transactions',
      'conflicts',
      'refused by a condition',
    ],
    results.map(rowOf),
  );
  return {
    errors: results.reduce((sum, { errors }) => sum + errors, 0),
    duplicates: results.reduce((sum, { duplicates }) => sum + duplicates, 0),
  };
}
