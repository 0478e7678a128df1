// Allocates every address of the default pool for real, through eight writers: node test/registry/fill-pool.ts
import assert from 'node:assert/strict';
import { capacityOf, type Pool } from '../../src/vip/pool.ts';
import { faultsOf } from '../property/invariants.ts';
import { readTable } from '../property/table-image.ts';
import { DEFAULT_POOL, openTestRegistry, serviceEntry, type TestRegistry, TOMBSTONE_MS } from '../support/registry.ts';

const WRITERS = 8;
/** As many as one transaction carries. */
const HOSTS = 32;
const TIMEOUT_MS = 30 * 60_000;

/** One entry after another, each writer its share of them, until every address is taken. */
async function takeAll(registry: TestRegistry, capacity: number, signal: AbortSignal): Promise<void> {
  const hosts = Array.from({ length: capacity }, (_, index) => `h${index}.internal`);
  const writers = Array.from({ length: WRITERS }, () => registry.anotherWriter());
  await Promise.all(
    writers.map(async (writer, first) => {
      for (let entry = first; entry * HOSTS < capacity; entry += WRITERS) {
        const some = hosts.slice(entry * HOSTS, (entry + 1) * HOSTS);
        const outcome = await writer.apply(serviceEntry(`e${entry}`, { hosts: some }), {}, signal);
        assert.equal(outcome.kind, 'created', JSON.stringify(outcome).slice(0, 300));
      }
    }),
  );
}

/** The next is refused with the figures; a delete makes room, but only when its tombstones are over. */
async function meetTheEnd({ writer, clock }: TestRegistry, capacity: number, signal: AbortSignal): Promise<void> {
  const late = serviceEntry('late', { hosts: ['late.internal'] });
  const refused = await writer.apply(late, {}, signal);
  assert.equal(refused.kind, 'rejected');
  const figures = new RegExp(`${capacity} addresses, ${capacity} in use, .* 0 free`);
  assert.match(refused.kind === 'rejected' ? refused.message : '', figures);
  assert.equal((await writer.remove('default', 'e0', {}, signal)).kind, 'deleted');
  assert.equal((await writer.apply(late, {}, signal)).kind, 'rejected');
  clock.now += TOMBSTONE_MS;
  assert.equal((await writer.apply(late, {}, signal)).kind, 'created');
}

/** Fills a pool exactly, and looks at the whole table then. How many addresses it has. */
export async function allocateAll(pool: Pool): Promise<number> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const registry = await openTestRegistry(pool);
  const capacity = capacityOf(pool);
  await takeAll(registry, capacity, signal);
  const circumstances = { pools: [pool], lastPinned: new Map<string, number>(), tombstoneMs: TOMBSTONE_MS };
  const image = await readTable(registry.client);
  assert.deepEqual(faultsOf({ image, now: registry.clock.now }, circumstances), []);
  assert.equal(image.vips.size, capacity);
  await meetTheEnd(registry, capacity, signal);
  await registry.db.close();
  return capacity;
}

if (process.argv[1] === import.meta.filename) {
  const capacity = await allocateAll(DEFAULT_POOL);
  process.stdout.write(`${capacity} allocations, no address twice; the next refused until a tombstone was over\n`);
}
