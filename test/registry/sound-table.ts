import { expect } from 'vitest';
import type { Pool } from '../../src/vip/pool.ts';
import { faultsOf } from '../property/invariants.ts';
import { readTable, type TableImage } from '../property/table-image.ts';
import { type TestRegistry, TOMBSTONE_MS } from '../support/registry.ts';

/** Holds the whole table to the invariants of the registry, and hands it out. */
export async function expectSound(
  registry: TestRegistry,
  pools: readonly Pool[] = [registry.pool],
): Promise<TableImage> {
  const image = await readTable(registry.client);
  const circumstances = { pools, lastPinned: new Map<string, number>(), tombstoneMs: TOMBSTONE_MS };
  expect(faultsOf({ image, now: registry.clock.now }, circumstances)).toEqual([]);
  return image;
}
