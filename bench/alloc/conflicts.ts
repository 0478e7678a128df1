import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, Faults } from '../../src/embedded/faults.ts';

interface ItemAction {
  readonly Key?: object;
  readonly Item?: object;
}

const keysOf = ({ input }: Call): string[] =>
  (input.TransactItems as readonly Record<string, ItemAction>[]).map((item) => {
    const [action = {}] = Object.values(item);
    return JSON.stringify(action.Key ?? action.Item);
  });

/**
 * DynamoDB from afar: every call takes its time, and a transaction on an item that another one in flight is on is
 * cancelled. The embedded one answers at once and lets transactions wait for each other, which would flatter us.
 */
export function distantDynamoDb(latencyMs: number): Faults {
  const held = new Set<string>();
  const holding = new WeakMap<Call, readonly string[]>();
  return {
    async before(call) {
      if (call.operation === 'TransactWriteItems') {
        const keys = keysOf(call);
        const items = keys.flatMap((key, position) => (held.has(key) ? [position] : []));
        if (items.length > 0) return { kind: 'conflict', items };
        for (const key of keys) held.add(key);
        holding.set(call, keys);
      }
      await sleep(latencyMs);
      return undefined;
    },
    after(call) {
      for (const key of holding.get(call) ?? []) held.delete(key);
      return undefined;
    },
  };
}
