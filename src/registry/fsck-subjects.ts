import type { Block } from '../vip/plan.ts';
import type { Pool } from '../vip/pool.ts';
import type { Check, ExaminedEntry, FsckContext } from './fsck.ts';
import { checkClaim, checkClaimant, checkPending, checkPin, pinnedBlocks } from './fsck-entry.ts';
import { checkEmpty, checkNamespace, checkScopes, checkSuffixes, namespacesOf } from './fsck-host.ts';
import { checkPointer, checkSlot, checkVip } from './fsck-slot.ts';
import type { HostState } from './state.ts';

/** All that is checked of the item of a host: first what claims it, then its VIPs, then whether it is found. */
export function checksOfHost(
  host: string,
  state: HostState,
  above: ReadonlyMap<string, ReadonlySet<string>>,
  context: FsckContext,
): Check[] {
  const namespaces = namespacesOf(state);
  return [
    ...[...state.claims.keys()].map((entry) => checkClaimant(host, entry)),
    ...namespaces.map((namespace) => checkPointer(host, namespace, context)),
    ...namespaces.map((namespace) => checkNamespace(host, namespace, context)),
    checkEmpty(host),
    checkSuffixes(host),
    ...[...above].map(([name, scopes]) => checkScopes(host, name, scopes)),
  ];
}

/** All that is checked of a block: each slot that is taken, and each entry that keeps slots from allocation. */
export function checksOfBlock(pool: Pool, number: number, block: Block, context: FsckContext): Check[] {
  const slots = new Set([...block.used, ...block.tombstones.keys()]);
  const entries = new Set([...block.pinnedWhole, ...[...block.pinned.values()].flatMap((pins) => [...pins])]);
  return [
    ...[...slots].map((slot) => checkSlot(pool, slot, context)),
    ...[...entries].map((entry) => checkPin(entry, pool, number)),
  ];
}

export const checksOfVip = (pool: Pool, slot: number, context: FsckContext): Check[] => [checkVip(pool, slot, context)];

/** All that is checked of an entry: an unfinished write, what its hosts have of it, and the addresses that it writes. */
export function checksOfEntry(entry: string, examined: ExaminedEntry, context: FsckContext): Check[] {
  return [
    checkPending(entry, context),
    ...[...examined.claims.keys()].map((host) => checkClaim(host, entry)),
    ...context.pools.flatMap((pool) => pinnedBlocks(examined, pool).map((number) => checkPin(entry, pool, number))),
  ];
}
