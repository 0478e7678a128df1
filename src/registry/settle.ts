import { figuresOf, type KnownBlocks, type Pick, type PoolFigures, plan } from '../vip/plan.ts';
import { addressesOfSlot, blockOfSlot, type Pool } from '../vip/pool.ts';
import type { ChangeContext } from './change.ts';
import type { HostStep } from './host-change.ts';
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

/** A tombstoned VIP comes back to its holder unless it has been taken, or pinned, after the end of the tombstone. */
function isRevivable(namespace: string, host: string, vip: HeldVip, known: KnownBlocks): boolean {
  const block = known.blocks.get(blockOfSlot(vip.slot));
  const tombstone = block?.tombstones.get(vip.slot);
  const pinned = block?.pinned.has(vip.slot) || (block?.pinnedWhole.size ?? 0) > 0;
  return tombstone?.namespace === namespace && tombstone.host === host && !pinned;
}

const tombstoned = (step: HostStep): HeldVip[] => (step.vip.kind === 'revive' ? [step.vip.vip] : []);

/** Decides every VIP: which are revived, and which slots the others get. */
export function settleVips(
  namespace: string,
  steps: readonly HostStep[],
  registry: RegistryView,
  context: ChangeContext,
): Settled {
  const unread = steps.flatMap(tombstoned).filter(({ poolId, slot }) => {
    const known = registry.blocks(poolId);
    return !known.complete && !known.blocks.has(blockOfSlot(slot));
  });
  if (unread.length > 0) {
    const blocks = unread.map(({ poolId, slot }) => ({ poolId, number: blockOfSlot(slot) }));
    return { kind: 'reads', reads: { ...NO_READS, blocks } };
  }
  const resolved = steps.map((step): HostStep => {
    const lost = tombstoned(step).some((vip) => !isRevivable(namespace, step.host, vip, registry.blocks(vip.poolId)));
    return lost ? { ...step, vip: { kind: 'allocate' } } : step;
  });
  return allocate(namespace, resolved, registry, context);
}

function allocate(
  namespace: string,
  steps: readonly HostStep[],
  registry: RegistryView,
  context: ChangeContext,
): Settled {
  const { pool, now } = context;
  const known = registry.blocks(pool.id);
  const wants = steps.filter((step) => step.vip.kind === 'allocate').map((step) => ({ namespace, host: step.host }));
  const reviving = steps.flatMap(tombstoned).filter((vip) => vip.poolId === pool.id);
  const { picks, unplaced } = plan(pool, known, wants, now, new Set(reviving.map((vip) => vip.slot)));
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
