import type { MeshTable } from '../table/mesh-table.ts';
import type { ShimSettings } from './settings.ts';
import { tableUrlOf, withoutVips } from './table-source.ts';
import { TableStore } from './table-store.ts';

/** The table that a shim with these settings last kept, with virtual IPs or without; undefined: it has kept none. */
export async function lastTable(
  settings: Pick<ShimSettings, 'endpoints' | 'stateDir'>,
): Promise<MeshTable | undefined> {
  const [endpoint] = settings.endpoints;
  if (endpoint === undefined) return undefined;
  const store = new TableStore(settings.stateDir);
  const kept = (await store.read(tableUrlOf(endpoint))) ?? (await store.read(tableUrlOf(withoutVips(endpoint))));
  return kept?.table;
}
