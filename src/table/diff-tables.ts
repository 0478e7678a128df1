import type { MeshTable, TableHost } from './mesh-table.ts';

export interface TableDiff {
  /** View, zones, pools or the TTL of absences differ: the answer for any name may. */
  readonly everything: boolean;
  /** Hosts that have come, gone or changed, sorted. A wildcard host stands for all names below it. */
  readonly hosts: readonly string[];
}

const byName = (table: MeshTable | undefined): Map<string, TableHost> =>
  new Map((table?.hosts ?? []).map((host) => [host.host, host]));

const generalPart = ({ hosts: _hosts, ...general }: MeshTable): string => JSON.stringify(general);

/** What differs in `after`; without `before`, all of it. Tables are built with their fields in one order. */
export function diffTables(before: MeshTable | undefined, after: MeshTable): TableDiff {
  const old = byName(before);
  const young = byName(after);
  const changed = [...young.values()].filter((host) => JSON.stringify(old.get(host.host)) !== JSON.stringify(host));
  const gone = [...old.keys()].filter((host) => !young.has(host));
  return {
    everything: !before || generalPart(before) !== generalPart(after),
    hosts: [...changed.map(({ host }) => host), ...gone].sort(),
  };
}
