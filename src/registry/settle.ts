import { type Block, figuresOf, type KnownBlocks, type Pick, type PoolFigures, plan, type Want } from '../vip/plan.ts';
import { addressesOfSlot, blockOfSlot, type Pool } from '../vip/pool.ts';
import type { ChangeContext } from './change.ts';
import type { HostStep } from './host-change.ts';
import type { BlockPins } from './pin-change.ts';
import { type NeedsReads, NO_READS } from './reads.ts';
import type { HeldVip, RegistryView } from './state.ts';
import type { Rejection } from './writer.ts';

/** A step whose VIP has been decided. */
export interface SettledStep extends HostStep {
  readonly pick?: Pick;
  readonly vipAfter?: HeldVip;
}

export type Settled = { readonly kind: 'settled'; readonly steps: readonly SettledStep[] } | NeedsReads | Rejection;

function exhausted(pool: Pool, unplaced: number, figures: PoolFigures): Rejection {
  return {
    kind: 'rejected',
    reason: 'VipPoolExhausted',
    message:
      `no virtual IP is free for ${unplaced} host(s): pool ${pool.ipv4} has ${figures.capacity} addresses, ` +
      `${figures.live} in use, ${figures.tombstoned} released but kept for their last holder, ` +
      `${figures.pinned} pinned by entries, ${figures.free} free; apply again when space returns, or enlarge "pools"`,
  };
}

const heldVip = (pool: Pool, slot: number): HeldVip => ({ poolId: pool.id, slot, ...addressesOfSlot(pool, slot) });

/** The blocks as they will be when this change has lifted its pins: what an entry itself kept off is free for it. */
function withoutLifted({ blocks, complete }: KnownBlocks, poolId: string, pins: readonly BlockPins[]): KnownBlocks {
  const lifted = new Map(blocks);
  for (const { kind, number, slots, whole, ...pin } of pins) {
    const block = lifted.get(number);
    if (kind !== 'unpin' || pin.poolId !== poolId || !block) continue;
    const pinned = new Map(block.pinned);
    for (const change of slots) if (pinned.get(change.slot)?.size === 1) pinned.delete(change.slot);
    lifted.set(number, { ...block, pinned, pinnedWhole: block.pinnedWhole.difference(new Set([whole?.entry])) });
  }
  return { blocks: lifted, complete };
}

const isTombstoneOf = ({ namespace, host }: Want, { slot }: HeldVip, block: Block | undefined): boolean => {
  const tombstone = block?.tombstones.get(slot);
  return tombstone?.namespace === namespace && tombstone.host === host;
};

/** A tombstoned VIP comes back to its holder unless it has been taken, or pinned, after the end of the tombstone. */
function isRevivable(want: Want, vip: HeldVip, known: KnownBlocks): boolean {
  const block = known.blocks.get(blockOfSlot(vip.slot));
  const pinned = block?.pinned.has(vip.slot) || (block?.pinnedWhole.size ?? 0) > 0;
  return isTombstoneOf(want, vip, block) && !pinned;
}

const tombstoned = (step: HostStep): HeldVip[] => (step.vip.kind === 'revive' ? [step.vip.vip] : []);

/** A block that does not show the tombstone its host speaks of may be older than what the host says. */
function isOutdated(want: Want, vip: HeldVip, registry: RegistryView): boolean {
  const number = blockOfSlot(vip.slot);
  const { blocks, complete } = registry.blocks(vip.poolId);
  const block = blocks.get(number);
  if (!block && !complete) return true;
  return !isTombstoneOf(want, vip, block) && !registry.isNewer(vip.poolId, number, want.host);
}

/** Decides every VIP: which are revived, and which slots the others get. */
export function settleVips(
  namespace: string,
  steps: readonly HostStep[],
  pins: readonly BlockPins[],
  registry: RegistryView,
  context: ChangeContext,
): Settled {
  const outdated = steps.flatMap((step) => {
    return tombstoned(step).filter((vip) => isOutdated({ namespace, host: step.host }, vip, registry));
  });
  if (outdated.length > 0) {
    const blocks = outdated.map(({ poolId, slot }) => ({ poolId, number: blockOfSlot(slot) }));
    return { kind: 'reads', reads: { ...NO_READS, blocks } };
  }
  const blocksOf = (poolId: string) => withoutLifted(registry.blocks(poolId), poolId, pins);
  const resolved = steps.map((step): HostStep => {
    const want = { namespace, host: step.host };
    const lost = tombstoned(step).some((vip) => !isRevivable(want, vip, blocksOf(vip.poolId)));
    return lost ? { ...step, vip: { kind: 'allocate' } } : step;
  });
  return allocate(namespace, resolved, blocksOf(context.pool.id), context);
}

/** Slots that the steps are about already, even if the block, read later than a host, says that they are free. */
const slotsOf = (steps: readonly HostStep[], poolId: string): ReadonlySet<number> =>
  new Set(steps.flatMap(({ vip }) => ('vip' in vip && vip.vip.poolId === poolId ? [vip.vip.slot] : [])));

function allocate(namespace: string, steps: readonly HostStep[], known: KnownBlocks, context: ChangeContext): Settled {
  const { pool, now } = context;
  const wants = steps.filter((step) => step.vip.kind === 'allocate').map((step) => ({ namespace, host: step.host }));
  const { picks, unplaced } = plan(pool, known, wants, now, slotsOf(steps, pool.id));
  if (unplaced.length > 0 && !known.complete) return { kind: 'reads', reads: { ...NO_READS, allBlocks: true } };
  if (unplaced.length > 0) return exhausted(pool, unplaced.length, figuresOf(pool, known.blocks, now));
  const pickOf = new Map(picks.map((pick) => [pick.want.host, pick]));
  return { kind: 'settled', steps: steps.map((step) => settle(step, pickOf.get(step.host), context)) };
}

function settle(step: HostStep, pick: Pick | undefined, context: ChangeContext): SettledStep {
  switch (step.vip.kind) {
    case 'allocate':
      if (!pick) throw new Error(`no slot was picked for host "${step.host}"`);
      return { ...step, pick, vipAfter: heldVip(context.pool, pick.slot) };
    case 'revive': {
      const { until: _until, ...vip } = step.vip.vip;
      return { ...step, vipAfter: vip };
    }
    case 'release':
      return { ...step, vipAfter: { ...step.vip.vip, until: context.now + context.tombstoneMs } };
    case 'keep':
      return { ...step, vipAfter: step.vip.vip };
    case 'none':
      return step;
  }
}
