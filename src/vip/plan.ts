import { BLOCK_SLOTS, blockCount, blockOfSlot, capacityOf, homeSlot, isUsableSlot, type Pool } from './pool.ts';

/** A released slot: nobody but its last holder gets it before `until`. */
export interface Tombstone {
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly namespace: string;
  readonly host: string;
}

/** 256 slots as one item of the table remembers them. Slot numbers are those of the pool. */
export interface Block {
  /** Live and tombstoned slots. */
  readonly used: ReadonlySet<number>;
  readonly tombstones: ReadonlyMap<number, Tombstone>;
  /** Slots whose address a user wrote into an entry, with those entries (`namespace/name`). */
  readonly pinned: ReadonlyMap<number, ReadonlySet<string>>;
  /** Entries whose CIDR covers the whole block. */
  readonly pinnedWhole: ReadonlySet<string>;
}

export const EMPTY_BLOCK: Block = {
  used: new Set(),
  tombstones: new Map(),
  pinned: new Map(),
  pinnedWhole: new Set(),
};

export interface Want {
  readonly namespace: string;
  readonly host: string;
}

export interface Pick {
  readonly want: Want;
  readonly slot: number;
  /** The slot's tombstone is over: its last holder, whose pointer to the slot must go. */
  readonly reclaims?: Tombstone;
}

export interface Plan {
  readonly picks: readonly Pick[];
  /** No free slot in the blocks that are known. */
  readonly unplaced: readonly Want[];
}

/**
 * The blocks somebody has read. An absent block is unknown, unless `complete`: then it is empty,
 * because a block item comes into being with its first slot.
 */
export interface KnownBlocks {
  readonly blocks: ReadonlyMap<number, Block>;
  readonly complete: boolean;
}

const blockAt = (known: KnownBlocks, number: number): Block | undefined =>
  known.blocks.get(number) ?? (known.complete ? EMPTY_BLOCK : undefined);

/** Whether an allocation may take the slot now. */
export function isFree(block: Block, slot: number, now: number): boolean {
  if (block.pinnedWhole.size > 0 || block.pinned.has(slot)) return false;
  if (!block.used.has(slot)) return true;
  const tombstone = block.tombstones.get(slot);
  return tombstone !== undefined && tombstone.until <= now;
}

function firstFree(
  pool: Pool,
  number: number,
  block: Block,
  from: number,
  taken: Set<number>,
  now: number,
): number | undefined {
  const start = number * BLOCK_SLOTS;
  const length = Math.min(BLOCK_SLOTS, pool.size - start);
  for (let i = 0; i < length; i++) {
    const slot = start + ((from + i) % length);
    if (isUsableSlot(pool, slot) && !taken.has(slot) && isFree(block, slot, now)) return slot;
  }
  return undefined;
}

function place(pool: Pool, known: KnownBlocks, want: Want, taken: Set<number>, now: number): number | undefined {
  const home = homeSlot(pool, want.namespace, want.host);
  const blocks = blockCount(pool);
  const reach = known.complete ? blocks : 1;
  for (let i = 0; i < reach; i++) {
    const number = (blockOfSlot(home) + i) % blocks;
    const block = blockAt(known, number);
    if (!block) return undefined;
    const slot = firstFree(pool, number, block, home % BLOCK_SLOTS, taken, now);
    if (slot !== undefined) return slot;
  }
  return undefined;
}

/**
 * Picks a slot for each want: in its home block from its hash on, and only when the blocks are complete
 * in the blocks after it; never one of `reserved`. Pure; the caller commits the picks under conditions, and plans again when one fails.
 */
export function plan(
  pool: Pool,
  known: KnownBlocks,
  wants: readonly Want[],
  now: number,
  reserved: ReadonlySet<number> = new Set(),
): Plan {
  const taken = new Set(reserved);
  const picks: Pick[] = [];
  const unplaced: Want[] = [];
  for (const want of wants) {
    const slot = place(pool, known, want, taken, now);
    if (slot === undefined) {
      unplaced.push(want);
      continue;
    }
    taken.add(slot);
    const reclaims = blockAt(known, blockOfSlot(slot))?.tombstones.get(slot);
    picks.push(reclaims ? { want, slot, reclaims } : { want, slot });
  }
  return { picks, unplaced };
}

export interface PoolFigures {
  readonly capacity: number;
  readonly live: number;
  readonly tombstoned: number;
  /** Pinned by user-written addresses and held by nobody. */
  readonly pinned: number;
  readonly free: number;
}

function blockFigures(pool: Pool, number: number, block: Block, now: number): Omit<PoolFigures, 'capacity' | 'free'> {
  let live = 0;
  let tombstoned = 0;
  let pinned = 0;
  const end = Math.min((number + 1) * BLOCK_SLOTS, pool.size);
  for (let slot = number * BLOCK_SLOTS; slot < end; slot++) {
    if (!isUsableSlot(pool, slot)) continue;
    const until = block.tombstones.get(slot)?.until;
    if (block.used.has(slot) && until === undefined) live++;
    else if (block.used.has(slot) && until !== undefined && until > now) tombstoned++;
    else if (block.pinnedWhole.size > 0 || block.pinned.has(slot)) pinned++;
  }
  return { live, tombstoned, pinned };
}

/** What a refused allocation, a metric and `meshdoh vips` say of a pool whose blocks are all known. */
export function figuresOf(pool: Pool, blocks: ReadonlyMap<number, Block>, now: number): PoolFigures {
  const capacity = capacityOf(pool);
  const sum = { live: 0, tombstoned: 0, pinned: 0 };
  for (const [number, block] of blocks) {
    const figures = blockFigures(pool, number, block, now);
    sum.live += figures.live;
    sum.tombstoned += figures.tombstoned;
    sum.pinned += figures.pinned;
  }
  return { capacity, ...sum, free: capacity - sum.live - sum.tombstoned - sum.pinned };
}
