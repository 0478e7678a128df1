import type { HostClaim } from '../serviceentry/claim.ts';
import { type Block, EMPTY_BLOCK, type Tombstone } from '../vip/plan.ts';
import { addressesOfSlot, BLOCK_SLOTS, blockOfSlot, type Pool } from '../vip/pool.ts';
import type { SlotChange, WholeBlockChange } from './action.ts';
import type { ChangeContext, Intent } from './change.ts';
import type { HostStep } from './host-change.ts';
import { MOST_PINNED_BLOCKS, type Pins, pinsOf } from './pins.ts';
import { type NeedsReads, NO_READS } from './reads.ts';
import { entryKey, type RegistryView } from './state.ts';
import type { Rejection } from './writer.ts';

/** What an entry's own addresses do to one block: they pin, or are lifted. */
export interface BlockPins {
  readonly kind: 'pin' | 'unpin';
  readonly poolId: string;
  readonly number: number;
  readonly slots: readonly SlotChange[];
  readonly whole?: WholeBlockChange;
}

type PinPlan = { readonly kind: 'pins'; readonly blocks: readonly BlockPins[] } | NeedsReads | Rejection;

/** The part of one pool that the entry pins, or may pin, and the part that it shall pin. */
interface PoolPins {
  readonly pool: Pool;
  readonly before: Pins;
  /** Whether `before` is what it pins, and not only what an announced write may have pinned or lifted. */
  readonly isCertain: boolean;
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

/** Whose VIPs an entry may write as addresses: those of its own hosts, live until this change or tombstoned. */
interface Own {
  readonly entry: string;
  readonly namespace: string;
  readonly steps: readonly HostStep[];
}

function isOwn(pool: Pool, slot: number, tombstone: Tombstone | undefined, { namespace, steps }: Own): boolean {
  return steps.some(({ host, after, vip }) => {
    if (!after) return false;
    if (tombstone) return tombstone.namespace === namespace && tombstone.host === host;
    return vip.kind === 'release' && vip.vip.poolId === pool.id && vip.vip.slot === slot;
  });
}

/** Slots that stand in the way of a pin: held by another host, live or tombstoned. */
function occupied(pool: Pool, block: Block, slots: Iterable<number>, own: Own, now: number): number[] {
  return [...slots].filter((slot) => {
    if (!block.used.has(slot) || block.pinned.get(slot)?.has(own.entry)) return false;
    const tombstone = block.tombstones.get(slot);
    return !(tombstone && tombstone.until <= now) && !isOwn(pool, slot, tombstone, own);
  });
}

function obstacles({ pool, after }: PoolPins, own: Own, registry: RegistryView, now: number): number[] {
  const { blocks } = registry.blocks(pool.id);
  const at = (number: number) => blocks.get(number) ?? EMPTY_BLOCK;
  const inSlots = [...after.slots].flatMap((slot) => occupied(pool, at(blockOfSlot(slot)), [slot], own, now));
  const whole = [...after.blocks].map(at).filter((block) => !block.pinnedWhole.has(own.entry));
  return [...inSlots, ...whole.flatMap((block) => occupied(pool, block, block.used, own, now))];
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

function changesOf(pins: PoolPins, entry: string, registry: RegistryView): BlockPins[] {
  const { blocks } = registry.blocks(pins.pool.id);
  return blocksOf(pins).flatMap((number) => {
    const block = blocks.get(number) ?? EMPTY_BLOCK;
    const { before, after, isCertain } = pins;
    const inBlock = (slots: ReadonlySet<number>) => new Set([...slots].filter((slot) => blockOfSlot(slot) === number));
    const pinned = [...block.pinned].flatMap(([slot, entries]) => (entries.has(entry) ? [slot] : []));
    const mine = isCertain ? inBlock(before.slots) : new Set(pinned);
    const isPinned = isCertain ? before.blocks.has(number) : block.pinnedWhole.has(entry);
    const wanted = inBlock(after.slots);
    const shallBe = after.blocks.has(number);
    const change = (kind: 'pin' | 'unpin', slots: ReadonlySet<number>, whole: boolean): BlockPins[] => {
      if (slots.size === 0 && !whole) return [];
      const changes = [...slots].map((slot): SlotChange => ({ kind, slot, entry }));
      return [{ kind, poolId: pins.pool.id, number, slots: changes, ...(whole ? { whole: { kind, entry } } : {}) }];
    };
    return [
      ...change('pin', wanted.difference(mine), shallBe && !isPinned),
      ...change('unpin', mine.difference(wanted), isPinned && !shallBe),
    ];
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

/**
 * The pins that an entry's own addresses set and lift, unless somebody's VIP stands there. Like the steps of hosts
 * (see `hostSteps`), they start from the entry in force, or, where a write is announced, from the blocks.
 */
export function planPins(
  intent: Intent,
  isAnnounced: boolean,
  before: readonly HostClaim[],
  after: readonly HostClaim[],
  steps: readonly HostStep[],
  registry: RegistryView,
  context: ChangeContext,
): PinPlan {
  const pools = [context.pool, ...context.draining].map((pool) => ({
    pool,
    before: pinsOf(pool, before),
    isCertain: !isAnnounced,
    after: pinsOf(pool, after),
  }));
  const most = Math.max(...pools.map((pins) => pins.after.blocks.size));
  if (most > MOST_PINNED_BLOCKS) return tooMany(most);
  const unread = pools.flatMap((pins) => unreadBlocks(pins, registry));
  if (unread.length > 0) return { kind: 'reads', reads: { ...NO_READS, blocks: unread } };
  const entry = entryKey(intent.namespace, intent.name);
  const own = { entry, namespace: intent.namespace, steps };
  for (const pins of pools) {
    const [slot] = obstacles(pins, own, registry, context.now);
    if (slot !== undefined) return refuse(pins.pool, slot, registry);
  }
  return { kind: 'pins', blocks: pools.flatMap((pins) => changesOf(pins, entry, registry)) };
}
