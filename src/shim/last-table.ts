import type { MeshTable } from '../table/mesh-table.ts';
import type { ShimSettings } from './settings.ts';
import { tableUrlOf } from './table-source.ts';
import { TableStore } from './table-store.ts';

/** The table that a shim on this host last kept; undefined: it has kept none. */
export async function lastTable(
  settings: Pick<ShimSettings, 'endpoints' | 'stateDir'>,
): Promise<MeshTable | undefined> {
  const [endpoint] = settings.endpoints;
  if (endpoint === undefined) return undefined;
  return (await new TableStore(settings.stateDir).read(tableUrlOf(endpoint)))?.table;
}
