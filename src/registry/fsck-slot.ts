import type { Block, Tombstone } from '../vip/plan.ts';
import { addressesOfSlot, blockOfSlot, type Pool } from '../vip/pool.ts';
import type { Check, Examined, Finding, FindingCode, FsckContext, Mend, SlotHolder, VipRecord } from './fsck.ts';
import { blockItem, hostItem, vipItem } from './keys.ts';
import type { HeldVip } from './state.ts';

const NONE: readonly Finding[] = [];

/** Stands in for a holder that nobody knows any more. */
const UNKNOWN_HOLDER = { namespace: '', host: '' } as const;

interface Slot {
  readonly pool: Pool;
  readonly slot: number;
}

const sameHolder = (a: SlotHolder, b: SlotHolder): boolean => a.namespace === b.namespace && a.host === b.host;

const pointsAt = (pointer: HeldVip | undefined, { pool, slot }: Slot): pointer is HeldVip =>
  pointer?.poolId === pool.id && pointer.slot === slot;

const nameOf = ({ namespace, host }: SlotHolder): string =>
  host === '' ? 'a host that is not known' : `host "${host}" in namespace "${namespace}"`;

const stateOf = ({ until }: { readonly until?: number }): string =>
  until === undefined ? 'live' : `released, kept until ${new Date(until).toISOString()}`;

const textOf = ({ pool, slot }: Slot): string => addressesOfSlot(pool, slot).ipv4;

function blockAgrees(block: Block, slot: number, holder: SlotHolder): boolean {
  const tombstone: Tombstone | undefined = block.tombstones.get(slot);
  if (!block.used.has(slot)) return false;
  if (holder.until === undefined) return tombstone === undefined;
  return tombstone !== undefined && tombstone.until === holder.until && sameHolder(tombstone, holder);
}

const finding = (
  { pool, slot }: Slot,
  code: FindingCode,
  message: string,
  mend: Mend | undefined,
  hosts: readonly string[],
): Finding => ({
  code,
  severity: 'error',
  items: [...hosts.map(hostItem), vipItem(pool.id, slot), blockItem(pool.id, blockOfSlot(slot))],
  message,
  ...(mend ? { mend } : {}),
});

const settle = ({ pool, slot }: Slot, holder: SlotHolder, pointer: boolean): Mend => ({
  kind: 'settle',
  pool,
  slot,
  holder,
  pointer,
});

const hasAddresses = (one: { readonly ipv4: string; readonly ipv6: string }, { pool, slot }: Slot): boolean => {
  const { ipv4, ipv6 } = addressesOfSlot(pool, slot);
  return one.ipv4 === ipv4 && one.ipv6 === ipv6;
};

/** The item of the VIP names this host, or nobody: the host is right. */
function pointerFindings(at: Slot, me: SlotHolder, vip: VipRecord | null, block: Block): readonly Finding[] {
  const mend = settle(at, me, false);
  const mine = `${nameOf(me)} has ${textOf(at)} (${stateOf(me)})`;
  if (vip && !hasAddresses(vip, at)) {
    return [
      finding(at, 'AddressesDiffer', `the item of ${textOf(at)} holds ${vip.ipv4} and ${vip.ipv6}`, mend, [me.host]),
    ];
  }
  if (!vip) return [finding(at, 'PointerDiffers', `${mine}, but the address has no item`, mend, [me.host])];
  if (vip.until !== me.until) {
    return [finding(at, 'TombstoneDiffers', `${mine}; the item of the address says ${stateOf(vip)}`, mend, [me.host])];
  }
  if (blockAgrees(block, at.slot, me)) return NONE;
  return [finding(at, 'TombstoneDiffers', `${mine}; its block does not say so`, mend, [me.host])];
}

/** The item of the VIP names somebody else: that host, if it points there too; else this one, if it is live. */
function rivalFindings(at: Slot, me: SlotHolder, vip: VipRecord, items: Examined): readonly Finding[] {
  const rival = items.host(vip.host);
  if (!rival) return NONE;
  const rivalPointer = rival.namespaces.get(vip.namespace)?.vip;
  const rivalPoints = pointsAt(rivalPointer, at);
  const clear: Mend = { kind: 'clearPointer', ...at, holder: me };
  const [mine, theirs] = [`${nameOf(me)} (${stateOf(me)})`, `${nameOf(vip)} (${stateOf(vip)})`];
  if (rivalPoints && me.until === undefined && rivalPointer.until === undefined) {
    const choice = `${textOf(at)} has two holders: ${mine} and ${theirs}; the second keeps it: the item of the address names it`;
    return [finding(at, 'TwoHolders', choice, clear, [me.host, vip.host])];
  }
  if (rivalPoints || me.until !== undefined) {
    const choice = `${mine} points at ${textOf(at)}, which is that of ${theirs}: the pointer goes`;
    return [finding(at, 'PointerDiffers', choice, clear, [me.host])];
  }
  const choice = `${mine} points at ${textOf(at)}, whose item names ${theirs}, which does not: the first keeps it`;
  return [finding(at, 'PointerDiffers', choice, settle(at, me, false), [me.host])];
}

/** What the item of a host says of its VIP in one namespace, against the item of the VIP and the block. */
export const checkPointer =
  (host: string, namespace: string, { pools }: FsckContext): Check =>
  (items) => {
    const pointer = items.host(host)?.namespaces.get(namespace)?.vip;
    if (!pointer) return NONE;
    const pool = pools.find(({ id }) => id === pointer.poolId);
    if (!pool) {
      const message = `${nameOf({ namespace, host })} has ${pointer.ipv4} of pool ${pointer.poolId}, which the table does not know`;
      return [{ code: 'PoolUnknown', severity: 'error', items: [hostItem(host)], message }];
    }
    const at = { pool, slot: pointer.slot };
    const vip = items.vip(pool.id, at.slot);
    const block = items.block(pool.id, blockOfSlot(at.slot));
    if (vip === undefined || !block) return NONE;
    if (!hasAddresses(pointer, at)) {
      const message = `${nameOf({ namespace, host })} says that slot ${at.slot} is ${pointer.ipv4} and ${pointer.ipv6}; it is ${textOf(at)}`;
      return [finding(at, 'AddressesDiffer', message, undefined, [host])];
    }
    const me: SlotHolder = { namespace, host, ...(pointer.until === undefined ? {} : { until: pointer.until }) };
    return vip && !sameHolder(vip, me) ? rivalFindings(at, me, vip, items) : pointerFindings(at, me, vip, block);
  };

/** The holder named by the item of a VIP points elsewhere, or nowhere. */
function unawareFindings(at: Slot, vip: VipRecord, pointer: HeldVip | undefined, block: Block, context: FsckContext) {
  const { namespace, host, until } = vip;
  const held: SlotHolder = { namespace, host, ...(until === undefined ? {} : { until }) };
  const released = { ...held, until: context.now + context.tombstoneMs };
  if (until === undefined && pointer) {
    const choice = `${textOf(at)} is live for ${nameOf(held)}, which has ${pointer.ipv4}: it keeps that one, this one is released`;
    return [finding(at, 'HolderUnaware', choice, settle(at, released, false), [host])];
  }
  if (until === undefined) {
    const message = `${textOf(at)} is live for ${nameOf(held)}, which does not know it`;
    return [finding(at, 'HolderUnaware', message, settle(at, held, true), [host])];
  }
  if (!blockAgrees(block, at.slot, held)) {
    const claimedLive = block.used.has(at.slot) && !block.tombstones.has(at.slot);
    const message = `${textOf(at)} of ${nameOf(held)} is ${stateOf(vip)}; its block does not say so`;
    return [finding(at, 'TombstoneDiffers', message, settle(at, claimedLive ? released : held, false), [])];
  }
  if (pointer || host === '' || until <= context.now) return NONE;
  const message = `${textOf(at)} is kept for ${nameOf(held)}, which does not know it`;
  return [finding(at, 'HolderUnaware', message, settle(at, held, true), [host])];
}

/** What the item of a VIP says, where its holder does not point there: what points there is checked from there. */
export const checkVip =
  (pool: Pool, slot: number, context: FsckContext): Check =>
  (items) => {
    const vip = items.vip(pool.id, slot);
    if (!vip) return NONE;
    const state = items.host(vip.host);
    const block = items.block(pool.id, blockOfSlot(slot));
    if (!state || !block) return NONE;
    const pointer = state.namespaces.get(vip.namespace)?.vip;
    return pointsAt(pointer, { pool, slot }) ? NONE : unawareFindings({ pool, slot }, vip, pointer, block, context);
  };

/** Entries that keep the slot from allocation; a write under way may lift its pin in a later part. */
const pinnedBy = (items: Examined, block: Block, slot: number): string[] =>
  [...(block.pinned.get(slot) ?? []), ...block.pinnedWhole].filter((entry) => {
    const examined = items.entry(entry);
    return examined !== undefined && !examined.pending;
  });

/** A slot that its block says is taken has an item that says by whom; and nobody has written a live VIP's address. */
export const checkSlot =
  (pool: Pool, slot: number, context: FsckContext): Check =>
  (items) => {
    const block = items.block(pool.id, blockOfSlot(slot));
    const vip = items.vip(pool.id, slot);
    if (!block || vip === undefined) return NONE;
    const at = { pool, slot };
    const tombstone = block.tombstones.get(slot);
    if (!vip) {
      if (!block.used.has(slot) && !tombstone) return NONE;
      const holder = tombstone ?? { ...UNKNOWN_HOLDER, until: context.now + context.tombstoneMs };
      const message = `${textOf(at)} is taken, and has no item that says by whom: it is kept as if released by ${nameOf(holder)}`;
      return [finding(at, 'SlotWithoutVip', message, settle(at, holder, false), [])];
    }
    const pinned = vip.until === undefined ? pinnedBy(items, block, slot) : [];
    if (pinned.length === 0) return NONE;
    const message = `${textOf(at)} is the live virtual IP of ${nameOf(vip)}, and ServiceEntry ${pinned.join(', ')} writes it: change the entry`;
    return [finding(at, 'PinnedVip', message, undefined, [])];
  };
