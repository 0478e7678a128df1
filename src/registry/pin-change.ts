import type { HostClaim } from '../serviceentry/claim.ts';
import { type Block, EMPTY_BLOCK } from '../vip/plan.ts';
import { addressesOfSlot, BLOCK_SLOTS, blockOfSlot, type Pool } from '../vip/pool.ts';
import type { SlotChange, WholeBlockChange } from './action.ts';
import type { ChangeContext, Intent, Reads } from './change.ts';
import type { HostStep } from './host-change.ts';
import { MOST_PINNED_BLOCKS, type Pins, pinsOf } from './pins.ts';
import { entryKey, type RegistryView } from './state.ts';
import type { Rejection } from './writer.ts';

export interface PinChanges {
  readonly kind: 'pins';
  readonly slots: readonly { readonly poolId: string; readonly change: SlotChange }[];
  readonly blocks: readonly { readonly poolId: string; readonly number: number; readonly change: WholeBlockChange }[];
}

type PinPlan = PinChanges | { readonly kind: 'reads'; readonly reads: Reads } | Rejection;

const READS: Reads = { entry: false, hosts: [], blocks: [], allBlocks: false, vips: [] };

const minus = (a: ReadonlySet<number>, b: ReadonlySet<number>): number[] => [...a].filter((value) => !b.has(value));

interface PinDelta {
  readonly pool: Pool;
  readonly added: { readonly slots: readonly number[]; readonly blocks: readonly number[] };
  readonly removed: { readonly slots: readonly number[]; readonly blocks: readonly number[] };
}

function deltaOf(pool: Pool, before: Pins, after: Pins): PinDelta {
  return {
    pool,
    added: { slots: minus(after.slots, before.slots), blocks: minus(after.blocks, before.blocks) },
    removed: { slots: minus(before.slots, after.slots), blocks: minus(before.blocks, after.blocks) },
  };
}

/** Slots that stand in the way of a pin: held by a host, live or tombstoned, other than one this change releases. */
function occupied(block: Block, slots: readonly number[], own: ReadonlySet<number>, now: number): number[] {
  return slots.filter((slot) => {
    if (!block.used.has(slot) || own.has(slot)) return false;
    const tombstone = block.tombstones.get(slot);
    return tombstone === undefined || tombstone.until > now;
  });
}

function obstacles(delta: PinDelta, own: ReadonlySet<number>, registry: RegistryView, now: number): number[] {
  const { blocks } = registry.blocks(delta.pool.id);
  const inSlots = delta.added.slots.flatMap((slot) =>
    occupied(blocks.get(blockOfSlot(slot)) ?? EMPTY_BLOCK, [slot], own, now),
  );
  const inBlocks = delta.added.blocks.flatMap((number) => {
    const block = blocks.get(number) ?? EMPTY_BLOCK;
    return occupied(block, [...block.used], own, now);
  });
  return [...inSlots, ...inBlocks];
}

function unreadBlocks(delta: PinDelta, registry: RegistryView): { poolId: string; number: number }[] {
  const known = registry.blocks(delta.pool.id);
  const wanted = new Set([...delta.added.slots.map(blockOfSlot), ...delta.added.blocks]);
  return [...wanted]
    .filter((number) => !known.complete && !known.blocks.has(number))
    .map((number) => ({ poolId: delta.pool.id, number }));
}

function ownSlots(
  pool: Pool,
  namespace: string,
  steps: readonly HostStep[],
  registry: RegistryView,
): ReadonlySet<number> {
  const held = steps.flatMap((step) => {
    const vip = registry.host(step.host)?.namespaces.get(namespace)?.vip;
    return vip && vip.poolId === pool.id && step.vip.kind !== 'keep' ? [vip.slot] : [];
  });
  return new Set(held);
}

function refuse(pool: Pool, slot: number, registry: RegistryView): PinPlan {
  const holder = registry.holder(pool.id, slot);
  if (holder === undefined) return { kind: 'reads', reads: { ...READS, vips: [{ poolId: pool.id, slot }] } };
  const { ipv4, ipv6 } = addressesOfSlot(pool, slot);
  return {
    kind: 'rejected',
    reason: 'Invalid',
    message:
      `spec.addresses: ${ipv4} (${ipv6}) is the virtual IP of host "${holder?.host ?? 'unknown'}" ` +
      `in namespace "${holder?.namespace ?? 'unknown'}"; virtual IPs never move: choose another address`,
  };
}

function changesOf(delta: PinDelta, entry: string, registry: RegistryView, now: number): Omit<PinChanges, 'kind'> {
  const poolId = delta.pool.id;
  const { blocks } = registry.blocks(poolId);
  return {
    slots: [
      ...delta.added.slots.map((slot) => ({ poolId, change: { kind: 'pin', slot, entry } as const })),
      ...delta.removed.slots.map((slot) => ({ poolId, change: { kind: 'unpin', slot, entry } as const })),
    ],
    blocks: [
      ...delta.added.blocks.map((number) => ({
        poolId,
        number,
        change: { kind: 'pin', entry, used: (blocks.get(number) ?? EMPTY_BLOCK).used, now } as const,
      })),
      ...delta.removed.blocks.map((number) => ({ poolId, number, change: { kind: 'unpin', entry } as const })),
    ],
  };
}

/** The pins that an entry's own addresses set and lift, unless somebody's VIP stands there. */
export function planPins(
  intent: Intent,
  before: readonly HostClaim[],
  after: readonly HostClaim[],
  steps: readonly HostStep[],
  registry: RegistryView,
  context: ChangeContext,
): PinPlan {
  const pools = [context.pool, ...context.draining];
  const deltas = pools.map((pool) => deltaOf(pool, pinsOf(pool, before), pinsOf(pool, after)));
  const most = Math.max(...deltas.map((delta) => delta.added.blocks.length));
  if (most > MOST_PINNED_BLOCKS) {
    return {
      kind: 'rejected',
      reason: 'Invalid',
      message: `spec.addresses: the prefixes cover ${most * BLOCK_SLOTS} virtual IPs of the pool; at most ${MOST_PINNED_BLOCKS * BLOCK_SLOTS} can be set aside`,
    };
  }
  const unread = deltas.flatMap((delta) => unreadBlocks(delta, registry));
  if (unread.length > 0) return { kind: 'reads', reads: { ...READS, blocks: unread } };
  for (const delta of deltas) {
    const own = ownSlots(delta.pool, intent.namespace, steps, registry);
    const [slot] = obstacles(delta, own, registry, context.now);
    if (slot !== undefined) return refuse(delta.pool, slot, registry);
  }
  const entry = entryKey(intent.namespace, intent.name);
  const changes = deltas.map((delta) => changesOf(delta, entry, registry, context.now));
  return {
    kind: 'pins',
    slots: changes.flatMap((change) => change.slots),
    blocks: changes.flatMap((change) => change.blocks),
  };
}
