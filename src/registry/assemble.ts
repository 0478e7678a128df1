import type { Tombstone } from '../vip/plan.ts';
import { blockOfSlot } from '../vip/pool.ts';
import type { Action, BlockAction, HostAction, HostChange, SlotChange, VipAction } from './action.ts';
import type { ChangeContext, Intent } from './change.ts';
import { agreementOf } from './host-change.ts';
import type { BlockPins } from './pin-change.ts';
import type { SettledStep } from './settle.ts';
import { entryKey, NO_HOST, type RegistryView } from './state.ts';

function hostChange(step: SettledStep, intent: Intent, registry: RegistryView): HostChange {
  const state = registry.host(step.host) ?? NO_HOST;
  const { signature, condition } = agreementOf(step, state, intent.namespace, step.vipAfter);
  const moved = step.vip.kind !== 'keep' && step.vip.kind !== 'none' && step.vipAfter;
  return {
    namespace: intent.namespace,
    condition,
    signature,
    claim: { entry: entryKey(intent.namespace, intent.name), value: step.after },
    ...(moved ? { vip: step.vipAfter } : {}),
  };
}

/** Whether the last holder still points at the slot; what nobody has read is assumed to, under a condition. */
function pointsAt(holder: Tombstone, poolId: string, slot: number, registry: RegistryView): boolean {
  const state = registry.host(holder.host);
  if (!state) return true;
  const vip = state.namespaces.get(holder.namespace)?.vip;
  return vip?.poolId === poolId && vip.slot === slot;
}

function clearPointers(
  changes: Map<string, HostChange[]>,
  steps: readonly SettledStep[],
  registry: RegistryView,
  poolId: string,
): void {
  for (const { pick } of steps) {
    const holder = pick?.reclaims;
    if (!holder || !pointsAt(holder, poolId, pick.slot, registry)) continue;
    const mine = changes.get(holder.host) ?? [];
    const same = mine.findIndex((candidate) => candidate.namespace === holder.namespace);
    const own = mine[same];
    if (own) mine[same] = own.vip ? own : { ...own, vip: 'cleared' };
    else {
      const condition = { kind: 'pointer', poolId, slot: pick.slot } as const;
      mine.push({ namespace: holder.namespace, condition, vip: 'cleared' });
    }
    changes.set(holder.host, mine);
  }
}

function hostActions(
  intent: Intent,
  steps: readonly SettledStep[],
  registry: RegistryView,
  context: ChangeContext,
): HostAction[] {
  const changes = new Map<string, HostChange[]>(steps.map((step) => [step.host, [hostChange(step, intent, registry)]]));
  clearPointers(changes, steps, registry, context.pool.id);
  return [...changes].map(([host, list]) => ({ on: 'host', host, changes: list }));
}

function slotChange(step: SettledStep, namespace: string): { poolId: string; change: SlotChange } | undefined {
  const { host, vip, vipAfter, pick } = step;
  if (!vipAfter) return undefined;
  const { poolId, slot } = vipAfter;
  if (pick) {
    return { poolId, change: { kind: 'take', slot, ...(pick.reclaims ? { reclaims: pick.reclaims } : {}) } };
  }
  if (vip.kind === 'revive') return { poolId, change: { kind: 'revive', slot } };
  if (vip.kind !== 'release' || vipAfter.until === undefined) return undefined;
  return { poolId, change: { kind: 'release', slot, tombstone: { until: vipAfter.until, namespace, host } } };
}

function vipAction(step: SettledStep, namespace: string): VipAction | undefined {
  const { host, vip, vipAfter, pick } = step;
  if (!vipAfter) return undefined;
  const item = { on: 'vip', poolId: vipAfter.poolId, slot: vipAfter.slot } as const;
  if (pick) {
    const reclaims = pick.reclaims ? { reclaims: pick.reclaims } : {};
    return { ...item, kind: 'hold', vip: vipAfter, namespace, host, ...reclaims };
  }
  if (vip.kind === 'revive') return { ...item, kind: 'revive' };
  return vip.kind === 'release' && vipAfter.until !== undefined
    ? { ...item, kind: 'release', until: vipAfter.until }
    : undefined;
}

type BlockChange = Pick<BlockAction, 'poolId' | 'number' | 'whole'> & { readonly slots: SlotChange[] };

function blockChanges(intent: Intent, steps: readonly SettledStep[], pins: readonly BlockPins[]): BlockChange[] {
  const blocks = new Map<string, BlockChange>();
  const at = (poolId: string, number: number) => {
    const key = `${poolId}#${number}`;
    const block = blocks.get(key) ?? { poolId, number, slots: [] };
    blocks.set(key, block);
    return block;
  };
  for (const step of steps) {
    const slot = slotChange(step, intent.namespace);
    if (slot) at(slot.poolId, blockOfSlot(slot.change.slot)).slots.push(slot.change);
  }
  for (const { poolId, number, slots, whole } of pins) {
    const block = at(poolId, number);
    block.slots.push(...slots);
    if (whole) blocks.set(`${poolId}#${number}`, { ...block, whole });
  }
  return [...blocks.values()];
}

/** Whether slots are taken in spite of a pin, which the entry itself lifts with the same write, or something is pinned. */
const isAboutPins = ({ poolId, number, slots, whole }: BlockChange, pins: readonly BlockPins[]): boolean =>
  whole?.kind === 'pin' ||
  slots.some(({ kind }) => kind === 'pin') ||
  (slots.some(({ kind }) => kind === 'take' || kind === 'revive') &&
    pins.some((pin) => pin.poolId === poolId && pin.number === number));

/** Items that a step takes at most: its host and, where its VIP moves, the VIP, the block and a last holder's host. */
export const costOf = (step: SettledStep): number =>
  step.vip.kind === 'none' || step.vip.kind === 'keep' ? 1 : step.pick?.reclaims ? 4 : 3;

/** What one transaction does. */
export interface Part {
  readonly steps: readonly SettledStep[];
  readonly pins: readonly BlockPins[];
}

/** The items that a part of a write touches, each once. `allPins` are those of the whole write. */
export function assembleActions(
  intent: Intent,
  { steps, pins }: Part,
  allPins: readonly BlockPins[],
  registry: RegistryView,
  context: ChangeContext,
): Action[] {
  const vips = steps.flatMap((step) => vipAction(step, intent.namespace) ?? []);
  const blocks = blockChanges(intent, steps, pins).map((change): BlockAction => {
    const revision = isAboutPins(change, allPins) ? registry.blockRevision(change.poolId, change.number) : undefined;
    return { on: 'block', ...change, ...(revision === undefined ? {} : { revision }) };
  });
  return [...hostActions(intent, steps, registry, context), ...blocks, ...vips];
}
