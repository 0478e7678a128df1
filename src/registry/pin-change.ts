import type { HostClaim } from '../serviceentry/claim.ts';
import { type Block, EMPTY_BLOCK } from '../vip/plan.ts';
import { addressesOfSlot, BLOCK_SLOTS, blockOfSlot, type Pool } from '../vip/pool.ts';
import type { SlotChange, WholeBlockChange } from './action.ts';
import type { ChangeContext, Intent } from './change.ts';
import type { HostStep } from './host-change.ts';
import { MOST_PINNED_BLOCKS, type Pins, pinsOf } from './pins.ts';
import { type NeedsReads, NO_READS } from './reads.ts';
import { entryKey, type RegistryView } from './state.ts';
import type { Rejection } from './writer.ts';

/** What pinning does to one block. */
export interface BlockPins {
  readonly poolId: string;
  readonly number: number;
  readonly slots: readonly SlotChange[];
  readonly whole?: WholeBlockChange;
}

type PinPlan = { readonly kind: 'pins'; readonly blocks: readonly BlockPins[] } | NeedsReads | Rejection;

/** The part of one pool that the entry pinned, or may have, and the part that it shall pin. */
interface PoolPins {
  readonly pool: Pool;
  readonly before: Pins;
  readonly after: Pins;
}

const blocksOf = ({ before, after }: PoolPins): number[] => {
  const slots = [...before.slots, ...after.slots];
  return [...new Set([...slots.map(blockOfSlot), ...before.blocks, ...after.blocks])];
};

function unreadBlocks(pins: PoolPins, registry: RegistryView): { poolId: string; number: number }[] {
  const known = registry.blocks(pins.pool.id);
  return blocksOf(pins)
    .filter((number) => !known.complete && !known.blocks.has(number))
    .map((number) => ({ poolId: pins.pool.id, number }));
}

/** Slots that stand in the way of a pin: held, live or tombstoned, other than those that this change releases. */
function occupied(block: Block, slots: Iterable<number>, own: ReadonlySet<number>, now: number): number[] {
  return [...slots].filter((slot) => {
    if (!block.used.has(slot) || own.has(slot)) return false;
    const tombstone = block.tombstones.get(slot);
    return tombstone === undefined || tombstone.until > now;
  });
}

function obstacles({ pool, after }: PoolPins, own: ReadonlySet<number>, registry: RegistryView, now: number): number[] {
  const { blocks } = registry.blocks(pool.id);
  const at = (number: number) => blocks.get(number) ?? EMPTY_BLOCK;
  const inSlots = [...after.slots].flatMap((slot) => occupied(at(blockOfSlot(slot)), [slot], own, now));
  const inBlocks = [...after.blocks].flatMap((number) => occupied(at(number), at(number).used, own, now));
  return [...inSlots, ...inBlocks];
}

function ownSlots(pool: Pool, steps: readonly HostStep[]): ReadonlySet<number> {
  return new Set(
    steps.flatMap(({ vip }) => (vip.kind === 'release' && vip.vip.poolId === pool.id ? [vip.vip.slot] : [])),
  );
}

function refuse(pool: Pool, slot: number, registry: RegistryView): NeedsReads | Rejection {
  const holder = registry.holder(pool.id, slot);
  if (holder === undefined) return { kind: 'reads', reads: { ...NO_READS, vips: [{ poolId: pool.id, slot }] } };
  const { ipv4, ipv6 } = addressesOfSlot(pool, slot);
  return {
    kind: 'rejected',
    reason: 'Invalid',
    message:
      `spec.addresses: ${ipv4} (${ipv6}) is the virtual IP of host "${holder?.host ?? 'unknown'}" ` +
      `in namespace "${holder?.namespace ?? 'unknown'}"; virtual IPs never move: choose another address`,
  };
}

function wholeChange(block: Block, wanted: boolean, entry: string, now: number): WholeBlockChange | undefined {
  const pinned = block.pinnedWhole.has(entry);
  if (wanted === pinned) return undefined;
  return wanted ? { kind: 'pin', entry, used: block.used, now } : { kind: 'unpin', entry };
}

function changesOf(pins: PoolPins, entry: string, registry: RegistryView, now: number): BlockPins[] {
  const poolId = pins.pool.id;
  const { blocks } = registry.blocks(poolId);
  return blocksOf(pins).flatMap((number) => {
    const block = blocks.get(number) ?? EMPTY_BLOCK;
    const mine = new Set([...pins.before.slots].filter((slot) => block.pinned.get(slot)?.has(entry)));
    const wanted = new Set([...pins.after.slots].filter((slot) => blockOfSlot(slot) === number));
    const slots = [
      ...[...wanted.difference(mine)].map((slot): SlotChange => ({ kind: 'pin', slot, entry })),
      ...[...mine.difference(wanted)].map((slot): SlotChange => ({ kind: 'unpin', slot, entry })),
    ];
    const whole = wholeChange(block, pins.after.blocks.has(number), entry, now);
    return slots.length > 0 || whole ? [{ poolId, number, slots, ...(whole ? { whole } : {}) }] : [];
  });
}

function tooMany(blocks: number): Rejection {
  const [covered, most] = [blocks * BLOCK_SLOTS, MOST_PINNED_BLOCKS * BLOCK_SLOTS];
  return {
    kind: 'rejected',
    reason: 'Invalid',
    message: `spec.addresses: the prefixes cover ${covered} virtual IPs of the pool; at most ${most} can be set aside`,
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
  const pools = [context.pool, ...context.draining].map((pool) => ({
    pool,
    before: pinsOf(pool, [...before, ...after]),
    after: pinsOf(pool, after),
  }));
  const most = Math.max(...pools.map((pins) => pins.after.blocks.size));
  if (most > MOST_PINNED_BLOCKS) return tooMany(most);
  const unread = pools.flatMap((pins) => unreadBlocks(pins, registry));
  if (unread.length > 0) return { kind: 'reads', reads: { ...NO_READS, blocks: unread } };
  for (const pins of pools) {
    const [slot] = obstacles(pins, ownSlots(pins.pool, steps), registry, context.now);
    if (slot !== undefined) return refuse(pins.pool, slot, registry);
  }
  const entry = entryKey(intent.namespace, intent.name);
  return { kind: 'pins', blocks: pools.flatMap((pins) => changesOf(pins, entry, registry, context.now)) };
}
