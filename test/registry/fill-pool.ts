// Allocates every address of the default pool for real, through eight writers: node test/registry/fill-pool.ts
import assert from 'node:assert/strict';
import { capacityOf } from '../../src/vip/pool.ts';
import { faultsOf } from '../property/invariants.ts';
import { readTable } from '../property/table-image.ts';
import { openTestRegistry, serviceEntry, TOMBSTONE_MS } from '../support/registry.ts';

const WRITERS = 8;
/** As many as one transaction carries. */
const HOSTS = 32;

const signal = AbortSignal.timeout(30 * 60_000);
const registry = await openTestRegistry();
const capacity = capacityOf(registry.pool);
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

const circumstances = { pools: [registry.pool], lastPinned: new Map<string, number>(), tombstoneMs: TOMBSTONE_MS };
const image = await readTable(registry.client);
assert.deepEqual(faultsOf({ image, now: registry.clock.now }, circumstances), []);
assert.equal(image.vips.size, capacity);

const late = serviceEntry('late', { hosts: ['late.internal'] });
const refused = await registry.writer.apply(late, {}, signal);
assert.equal(refused.kind, 'rejected');
assert.match(refused.kind === 'rejected' ? refused.message : '', /65024 addresses, 65024 in use, .* 0 free/);
assert.equal((await registry.writer.remove('default', 'e0', {}, signal)).kind, 'deleted');
assert.equal((await registry.writer.apply(late, {}, signal)).kind, 'rejected');
registry.clock.now += TOMBSTONE_MS;
assert.equal((await registry.writer.apply(late, {}, signal)).kind, 'created');
process.stdout.write(`${capacity} allocations, no address twice; the next refused until a tombstone was over\n`);
