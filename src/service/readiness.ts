import type { ReadinessCheck } from '../http/health-app.ts';
import { readPools } from '../registry/dynamodb-open.ts';
import type { TableClient } from '../registry/dynamodb-snapshot.ts';
import type { Settings } from '../settings.ts';
import { createPool } from '../vip/pool.ts';

/** What a server needs to be of use: a store that answers, and a pool that no other server has replaced since. */
export function readinessChecks(source: TableClient, settings: Pick<Settings, 'pools'>): readonly ReadinessCheck[] {
  const own = createPool(settings.pools);
  return [
    {
      name: 'store',
      async problem(signal) {
        await readPools(source, signal);
        return undefined;
      },
    },
    {
      name: 'pools',
      async problem(signal) {
        const { active } = await readPools(source, signal);
        if (active?.id === own.id) return undefined;
        return 'the table allocates from another pool than the settings of this server name';
      },
    },
  ];
}
