import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { Faults } from '../../src/embedded/faults.ts';
import { ATTRIBUTE } from '../../src/registry/dynamodb-items.ts';
import { marshalKey } from '../../src/registry/dynamodb-update.ts';
import { blockItem } from '../../src/registry/keys.ts';
import { BLOCK_SLOTS, blockCount, isUsableSlot } from '../../src/vip/pool.ts';
import { TABLE, type TestRegistry } from '../support/registry.ts';

/** Marks slots as used by nobody in particular, which is all that an allocation looks at. Tombstones stay. */
export async function fillPool({ client, pool }: TestRegistry, isFree: (slot: number) => boolean): Promise<void> {
  for (let number = 0; number < blockCount(pool); number++) {
    const slots = Array.from({ length: BLOCK_SLOTS }, (_, index) => number * BLOCK_SLOTS + index);
    const used = slots.filter((slot) => isUsableSlot(pool, slot) && !isFree(slot));
    if (used.length === 0) continue;
    await client.send(
      new UpdateItemCommand({
        TableName: TABLE,
        Key: marshalKey(blockItem(pool.id, number)),
        UpdateExpression: 'ADD #used :used',
        ExpressionAttributeNames: { '#used': ATTRIBUTE.used },
        ExpressionAttributeValues: { ':used': { NS: used.map(String) } },
      }),
    );
  }
}

/** Counts round trips: calls that are made at the same time are one. */
export function countRoundTrips(): { readonly faults: Faults; readonly count: () => number } {
  let count = 0;
  let waiting = 0;
  return {
    count: () => count,
    faults: {
      async before() {
        if (waiting++ === 0) count++;
        await new Promise(setImmediate);
        waiting--;
        return undefined;
      },
    },
  };
}
