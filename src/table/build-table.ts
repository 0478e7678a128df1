import type { HostClaim, Resolution } from '../serviceentry/claim.ts';
import type { HostAnswer, NamespaceRecord } from './host.ts';
import { type MeshTable, TABLE_SCHEMA_VERSION, type TableHost } from './mesh-table.ts';
import type { RegisteredHost, RegisteredMesh } from './registered-host.ts';
import { mergedEndpoints } from './table-endpoints.ts';
import type { View } from './view.ts';
import { byAge, isExportedTo, visibleHost } from './visible.ts';

export interface TableSettings {
  /** Seconds. */
  readonly ttl: { readonly vip: number; readonly owned: number; readonly negative: number };
  readonly privateZones: readonly string[];
}

/** The claims that the view sees of the namespace that it is answered from, the oldest first. */
function visibleClaims({ record }: RegisteredHost, { namespace }: HostAnswer, view: View) {
  const answering = record.namespaces.find((one) => one.namespace === namespace);
  const claims = (answering?.claims ?? []).filter((claim) => isExportedTo(claim, view.namespace)).sort(byAge);
  return { answering, claims };
}

/** The VIP as far as one of these claims asks for it: that of a claim which the view may not see is none of its own. */
const vipFor = (answering: NamespaceRecord | undefined, claims: readonly HostClaim[]) =>
  claims.some(({ wantsVip }) => wantsVip) ? answering?.vip : undefined;

function tableHost(registered: RegisteredHost, view: View, { ttl }: TableSettings): TableHost[] {
  const answer = visibleHost(registered.record, view);
  if (!answer) return [];
  const { answering, claims } = visibleClaims(registered, answer, view);
  const vip = vipFor(answering, claims);
  const carried = vip ? claims.filter(({ wantsVip }) => wantsVip) : [];
  const resolution: Resolution = (carried[0] ?? claims[0])?.resolution ?? 'NONE';
  return [
    {
      host: answer.host,
      namespace: answer.namespace,
      owned: answer.owned,
      addresses: answer.addresses,
      ...(vip ? { vip } : {}),
      resolution,
      ttl: answer.ttl ?? (answer.vip ? ttl.vip : ttl.owned),
      ports: answer.ports,
      endpoints: mergedEndpoints(answer.host, carried, (claim) => registered.endpoints.get(claim) ?? []),
    },
  ];
}

const byHost = (a: TableHost, b: TableHost): number => (a.host < b.host ? -1 : 1);

/** What `view` may see of all that is registered; the same registry gives the same octets as JSON. */
export function buildTable({ hosts, pools }: RegisteredMesh, view: View, settings: TableSettings): MeshTable {
  return {
    schemaVersion: TABLE_SCHEMA_VERSION,
    view,
    negativeTtl: settings.ttl.negative,
    privateZones: settings.privateZones,
    pools: pools.map(({ ipv4, ipv6 }) => ({ ipv4, ipv6 })),
    hosts: hosts.flatMap((registered) => tableHost(registered, view, settings)).sort(byHost),
  };
}
