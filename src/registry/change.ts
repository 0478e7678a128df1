import { isDeepStrictEqual } from 'node:util';
import type { HostClaim } from '../serviceentry/claim.ts';
import { claimsOf } from '../serviceentry/claims.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { figuresOf, type KnownBlocks, type Pick, type PoolFigures, plan } from '../vip/plan.ts';
import { addressesOfSlot, blockOfSlot, homeSlot, type Pool } from '../vip/pool.ts';
import type { Action } from './action.ts';
import { assembleActions, type SettledStep } from './assemble.ts';
import { isUnchanged, refusal, reviseEntry, withStatus } from './entry-revision.ts';
import { type HostStep, hostConflict, stepOf } from './host-change.ts';
import { planPins } from './pin-change.ts';
import { type EntryState, entryKey, type HeldVip, type RegistryView } from './state.ts';
import type { Precondition, Rejection } from './writer.ts';

/** What a caller wants to be so: the entry as given, or no entry. */
export interface Intent {
  readonly namespace: string;
  readonly name: string;
  readonly desired: ServiceEntry | undefined;
  readonly precondition: Precondition;
}

export interface ChangeContext {
  /** The pool that allocations come from. */
  readonly pool: Pool;
  /** Pools of earlier settings, whose VIPs stay what they are. */
  readonly draining: readonly Pool[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** For an entry that is new. */
  readonly uid: string;
  readonly tombstoneMs: number;
}

export interface Reads {
  readonly entry: boolean;
  readonly hosts: readonly string[];
  readonly blocks: readonly { readonly poolId: string; readonly number: number }[];
  /** Every block of the active pool. */
  readonly allBlocks: boolean;
  readonly vips: readonly { readonly poolId: string; readonly slot: number }[];
}

export type CommitKind = 'created' | 'configured' | 'deleted';

export type Change =
  | { readonly kind: 'reads'; readonly reads: Reads }
  | { readonly kind: 'unchanged'; readonly entry: ServiceEntry }
  | {
      readonly kind: 'write';
      readonly outcome: CommitKind;
      readonly entry: ServiceEntry;
      readonly actions: readonly Action[];
      /** Hosts touched. */
      readonly hosts: readonly string[];
      /** What the entry will claim: names that must be findable before the commit. */
      readonly claims: readonly HostClaim[];
    }
  | Rejection;

export const NO_READS: Reads = { entry: false, hosts: [], blocks: [], allBlocks: false, vips: [] };

/** The store refuses an item over 400 KB; a host answers for many, so it keeps a distance. */
const LARGEST_HOST_BYTES = 300 * 1024;

const byHost = (claims: readonly HostClaim[]): ReadonlyMap<string, HostClaim> =>
  new Map(claims.map((claim) => [claim.host, claim]));

/** All that most writes need, in one round trip. */
export function firstReads(intent: Intent, pool: Pool): Reads {
  const claims = intent.desired ? claimsOf(intent.desired) : [];
  const homes = claims
    .filter((claim) => claim.wantsVip)
    .map((claim) => blockOfSlot(homeSlot(pool, intent.namespace, claim.host)));
  return {
    ...NO_READS,
    entry: true,
    hosts: claims.map((claim) => claim.host),
    blocks: [...new Set(homes)].map((number) => ({ poolId: pool.id, number })),
  };
}

function tooLarge(step: HostStep): Rejection | undefined {
  const claims = [...step.others, ...(step.after ? [step.after] : [])];
  const bytes = Buffer.byteLength(JSON.stringify(claims));
  if (bytes <= LARGEST_HOST_BYTES) return undefined;
  return {
    kind: 'rejected',
    reason: 'TooLarge',
    message: `spec.hosts: host "${step.host}" would need ${bytes} octets for all entries that name it; at most ${LARGEST_HOST_BYTES} fit`,
  };
}

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

type Settled =
  | { readonly kind: 'settled'; readonly steps: readonly SettledStep[] }
  | { readonly kind: 'reads'; readonly reads: Reads }
  | Rejection;

/** Decides every VIP: which are revived, and which slots the others get. */
function settleVips(
  namespace: string,
  steps: readonly HostStep[],
  registry: RegistryView,
  context: ChangeContext,
): Settled {
  const unknown = steps.flatMap((step) =>
    step.vip.kind === 'revive' &&
    !registry.blocks(step.vip.vip.poolId).blocks.has(blockOfSlot(step.vip.vip.slot)) &&
    !registry.blocks(step.vip.vip.poolId).complete
      ? [{ poolId: step.vip.vip.poolId, number: blockOfSlot(step.vip.vip.slot) }]
      : [],
  );
  if (unknown.length > 0) return { kind: 'reads', reads: { ...NO_READS, blocks: unknown } };
  const resolved = steps.map((step): HostStep => {
    if (step.vip.kind !== 'revive') return step;
    const { vip } = step.vip;
    return isRevivable(namespace, step.host, vip, registry.blocks(vip.poolId))
      ? step
      : { ...step, vip: { kind: 'allocate' } };
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
  const reserved = new Set(
    steps.flatMap((step) => (step.vip.kind === 'revive' && step.vip.vip.poolId === pool.id ? [step.vip.vip.slot] : [])),
  );
  const { picks, unplaced } = plan(pool, known, wants, now, reserved);
  if (unplaced.length > 0 && !known.complete) return { kind: 'reads', reads: { ...NO_READS, allBlocks: true } };
  if (unplaced.length > 0) return exhausted(pool, unplaced.length, figuresOf(pool, known.blocks, now));
  const pickOf = new Map(picks.map((pick) => [pick.want.host, pick]));
  return { kind: 'settled', steps: steps.map((step) => settle(step, pickOf.get(step.host), context)) };
}

function settle(step: HostStep, pick: Pick | undefined, context: ChangeContext): SettledStep {
  switch (step.vip.kind) {
    case 'allocate': {
      if (!pick) throw new Error(`no slot was picked for host "${step.host}"`);
      const vip = heldVip(context.pool, pick.slot);
      return { ...step, pick, vipAfter: vip };
    }
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

function hostSteps(
  intent: Intent,
  before: ReadonlyMap<string, HostClaim>,
  after: ReadonlyMap<string, HostClaim>,
  registry: RegistryView,
): HostStep[] | { readonly kind: 'reads'; readonly reads: Reads } {
  const hosts = [...new Set([...after.keys(), ...before.keys()])];
  const unread = hosts.filter((host) => registry.host(host) === undefined);
  if (unread.length > 0) return { kind: 'reads', reads: { ...NO_READS, hosts: unread } };
  const key = entryKey(intent.namespace, intent.name);
  return hosts.flatMap((host) => {
    const state = registry.host(host);
    return state ? [stepOf(host, state, intent.namespace, key, before.get(host), after.get(host))] : [];
  });
}

const isIdle = (step: SettledStep): boolean =>
  (step.vip.kind === 'none' || step.vip.kind === 'keep') && isDeepStrictEqual(step.before, step.after);

/** What can be said before any host is looked at. */
function earlyOutcome(intent: Intent, current: EntryState | null): Change | undefined {
  const mustExist = !intent.desired && intent.precondition.kind === 'none';
  const refused = refusal(mustExist ? { kind: 'present' } : intent.precondition, current, intent.name);
  if (refused) return refused;
  if (!current || !intent.desired || !isUnchanged(current.entry, intent.desired)) return undefined;
  return { kind: 'unchanged', entry: current.entry };
}

/**
 * What a write has to do, decided from what has been read so far; or what else must be read first. Pure: the caller
 * reads, asks again, commits the actions, and asks again with what it learnt when a condition failed.
 */
export function planChange(intent: Intent, registry: RegistryView, context: ChangeContext): Change {
  const current = registry.entry(intent.namespace, intent.name);
  if (current === undefined) return { kind: 'reads', reads: firstReads(intent, context.pool) };
  return earlyOutcome(intent, current) ?? planHosts(intent, current ?? undefined, registry, context);
}

function planHosts(
  intent: Intent,
  current: EntryState | undefined,
  registry: RegistryView,
  context: ChangeContext,
): Change {
  const revised = intent.desired && reviseEntry(current?.entry, intent.desired, context);
  const before = byHost(current ? claimsOf(current.entry) : []);
  const after = byHost(revised ? claimsOf(revised) : []);
  const steps = hostSteps(intent, before, after, registry);
  if (!Array.isArray(steps)) return steps;
  for (const step of steps) {
    const rejection = (step.after && hostConflict(step.after, step.others)) ?? tooLarge(step);
    if (rejection) return rejection;
  }
  const pins = planPins(intent, [...before.values()], [...after.values()], steps, registry, context);
  if (pins.kind !== 'pins') return pins;
  const settled = settleVips(intent.namespace, steps, registry, context);
  if (settled.kind !== 'settled') return settled;
  const entry = revised && withStatus(revised, vipsOf(settled.steps), current?.entry.status, context.now);
  const work = settled.steps.filter((step) => !isIdle(step));
  return {
    kind: 'write',
    ...consequence(current?.entry, entry),
    actions: assembleActions({ intent, current, entry, steps: work, pins }, registry, context),
    hosts: work.map((step) => step.host),
    claims: [...after.values()],
  };
}

function consequence(
  before: ServiceEntry | undefined,
  after: ServiceEntry | undefined,
): { outcome: CommitKind; entry: ServiceEntry } {
  if (after) return { outcome: before ? 'configured' : 'created', entry: after };
  if (before) return { outcome: 'deleted', entry: before };
  throw new Error('a change from nothing to nothing');
}

/** The VIPs that the entry's own hosts hold after the change. */
function vipsOf(steps: readonly SettledStep[]): ReadonlyMap<string, HeldVip> {
  return new Map(
    steps.flatMap(({ host, after, vipAfter }) => (after?.wantsVip && vipAfter ? [[host, vipAfter] as const] : [])),
  );
}
