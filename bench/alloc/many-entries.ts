import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createDynamoDbEntries } from '../../src/registry/dynamodb-entries.ts';
import { figure, median, megabytes, percentile, printTable } from '../measure/report.ts';
import { deadline, numberedEntry, openRegistry, slotsOf } from './registry.ts';

/** As many as the command keeps in flight. */
const IN_FLIGHT = 8;

export const STORES = ['memory', 'folder'] as const;
export type StoreKind = (typeof STORES)[number];

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Octets of the heap that something still refers to, work that has just ended aside. */
async function heapInUse(): Promise<number> {
  await nextTurn();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Runs `use` with a folder of its own. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'meshdoh-bench-'));
  return use(folder).finally(() => rm(folder, { recursive: true, force: true }));
}

async function applyMany(store: StoreKind, count: number, folder: string) {
  const registry = await openRegistry(store === 'folder' ? join(folder, 'store') : undefined);
  const { writer } = registry.another();
  const slots: number[] = [];
  const milliseconds: number[] = [];
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const entry = numberedEntry(next++);
      const started = performance.now();
      slots.push(...slotsOf(await writer.apply(entry, {}, deadline()), registry.pool));
      milliseconds.push(performance.now() - started);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  const wallMs = performance.now() - started;

  const before = await heapInUse();
  const listStarted = performance.now();
  const { items } = await createDynamoDbEntries(registry).list(undefined, deadline());
  const listMs = performance.now() - listStarted;
  const listOctets = (await heapInUse()) - before;
  await registry.close();
  const missing = count - items.length;
  return { store, wallMs, milliseconds, listMs, listOctets, missing, duplicates: slots.length - new Set(slots).size };
}

/** Many entries through the writer, and all of them listed again. */
export async function measureManyEntries(count: number): Promise<{ errors: number; duplicates: number }> {
  const results = [];
  for (const store of STORES) results.push(await withFolder((folder) => applyMany(store, count, folder)));
  printTable(
    `${count} entries through the writer, ${IN_FLIGHT} in flight, and listed again`,
    ['store', 'wall', 'ms each', 'p50 / p99 ms', 'list', 'heap of the list', 'missing', 'duplicates'],
    results.map(({ store, wallMs, milliseconds, listMs, listOctets, missing, duplicates }) => [
      store,
      `${figure(wallMs / 1000)} s`,
      figure(wallMs / count),
      `${figure(median(milliseconds))} / ${figure(percentile(milliseconds, 0.99))}`,
      `${figure(listMs / 1000)} s`,
      megabytes(listOctets),
      String(missing),
      String(duplicates),
    ]),
  );
  return {
    errors: results.reduce((sum, { missing }) => sum + Math.abs(missing), 0),
    duplicates: results.reduce((sum, { duplicates }) => sum + duplicates, 0),
  };
}
