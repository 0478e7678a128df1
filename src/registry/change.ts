import { isDeepStrictEqual } from 'node:util';
import type { HostClaim } from '../serviceentry/claim.ts';
import { claimsOf } from '../serviceentry/claims.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { blockOfSlot, homeSlot, type Pool } from '../vip/pool.ts';
import type { Action, EntryAction, EntryCondition } from './action.ts';
import { assembleActions, costOf } from './assemble.ts';
import { isUnchanged, refusal, reviseEntry, withStatus } from './entry-revision.ts';
import { type HostStep, hostConflict, stepOf } from './host-change.ts';
import { type BlockPins, planPins } from './pin-change.ts';
import { type NeedsReads, NO_READS, type Reads } from './reads.ts';
import { type SettledStep, settleVips } from './settle.ts';
import { type EntryState, entryKey, type HeldVip, type PendingWrite, type RegistryView } from './state.ts';
import type { Precondition, Rejection } from './writer.ts';

/** What a caller wants to be so. */
export interface Intent {
  readonly namespace: string;
  readonly name: string;
  readonly goal:
    | { readonly kind: 'apply'; readonly entry: ServiceEntry }
    | { readonly kind: 'delete' }
    /** The entry in force, whatever an unfinished write has done to its hosts. */
    | { readonly kind: 'restore' };
  readonly precondition: Precondition;
}

export interface ChangeContext {
  /** The pool that allocations come from. */
  readonly pool: Pool;
  /** Pools of earlier settings, whose VIPs stay what they are. */
  readonly draining: readonly Pool[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Of this write; also the uid of an entry that it creates. */
  readonly writeId: string;
  readonly tombstoneMs: number;
}

export type CommitKind = 'created' | 'configured' | 'deleted';

export type Change =
  | NeedsReads
  | Rejection
  /** Another write of this entry is under way. */
  | { readonly kind: 'busy' }
  | { readonly kind: 'unchanged'; readonly entry: ServiceEntry }
  | {
      readonly kind: 'write';
      /** The last transaction of a write is `final`, and most are the only one. */
      readonly stage: 'begin' | 'part' | 'final';
      readonly outcome: CommitKind;
      readonly entry: ServiceEntry;
      readonly actions: readonly Action[];
      /** Hosts that the whole write touches, or has touched. */
      readonly hosts: readonly string[];
      /** What the entry will claim: names that must be findable before the commit. */
      readonly claims: readonly HostClaim[];
    };

/** TransactWriteItems takes 100 items; one is the entry, one the change counter. */
const LARGEST_TRANSACTION = 98;

/** A writer that is still alive has finished or given up by then. */
const PENDING_MS = 60_000;

/** The store refuses an item over 400 KB; a host answers for many, so it keeps a distance. */
const LARGEST_HOST_OCTETS = 300 * 1024;

const desiredClaims = ({ goal }: Intent): readonly HostClaim[] => (goal.kind === 'apply' ? claimsOf(goal.entry) : []);

/** All that most writes need, in one round trip. */
function firstReads(intent: Intent, pool: Pool): Reads {
  const claims = desiredClaims(intent);
  const homes = claims
    .filter((claim) => claim.wantsVip)
    .map((claim) => blockOfSlot(homeSlot(pool, intent.namespace, claim.host)));
  const blocks = [...new Set(homes)].map((number) => ({ poolId: pool.id, number }));
  return { ...NO_READS, entry: true, hosts: claims.map((claim) => claim.host), blocks };
}

/** What can be said before any host is looked at. */
function earlyOutcome(intent: Intent, { stored, pending }: EntryState): Change | undefined {
  const mustExist = intent.goal.kind === 'delete' && intent.precondition.kind === 'none';
  const refused = refusal(mustExist ? { kind: 'present' } : intent.precondition, stored, intent.name);
  if (refused) return refused;
  if (intent.goal.kind !== 'apply' || !stored || pending || !isUnchanged(stored.entry, intent.goal.entry))
    return undefined;
  return { kind: 'unchanged', entry: stored.entry };
}

/**
 * The next transaction of a write, decided from what has been read so far; or what else must be read first. Pure:
 * the caller reads, asks again, commits, and asks again with what it learnt when a condition failed. What has been
 * done is seen in the items themselves, so that a write of many transactions can be taken up anywhere.
 */
export function planChange(intent: Intent, registry: RegistryView, context: ChangeContext): Change {
  const state = registry.entry(intent.namespace, intent.name);
  if (state === undefined) return { kind: 'reads', reads: firstReads(intent, context.pool) };
  const ours = state.pending?.writeId === context.writeId;
  if (state.pending && !ours && state.pending.until > context.now) return { kind: 'busy' };
  const early = ours || intent.goal.kind === 'restore' ? undefined : earlyOutcome(intent, state);
  return early ?? planHosts(intent, state, registry, context);
}

/** The entry as it shall be stored: announced writes have said so already. */
function targetOf({ goal }: Intent, { stored, pending }: EntryState, context: ChangeContext): ServiceEntry | undefined {
  switch (goal.kind) {
    case 'apply':
      return pending?.writeId === context.writeId && pending.entry
        ? pending.entry
        : reviseEntry(stored?.entry, goal.entry, { now: context.now, uid: context.writeId });
    case 'restore':
      return stored?.entry;
    case 'delete':
      return undefined;
  }
}

/** Whatever may have left a claim on a host or a pin on a block. */
function entriesOf({ stored, pending }: EntryState): ServiceEntry[] {
  return [...(stored ? [stored.entry] : []), ...announced(pending)];
}

const announced = (pending: PendingWrite | undefined): ServiceEntry[] =>
  pending ? [...(pending.entry ? [pending.entry] : []), ...pending.superseded] : [];

function planHosts(intent: Intent, state: EntryState, registry: RegistryView, context: ChangeContext): Change {
  const target = targetOf(intent, state, context);
  const after = target ? claimsOf(target) : [];
  const before = entriesOf(state).flatMap(claimsOf);
  const steps = hostSteps(intent, before, after, registry);
  if (!Array.isArray(steps)) return steps;
  const rejection = firstRejection(steps);
  if (rejection) return rejection;
  const pins = planPins(intent, before, after, steps, registry, context);
  if (pins.kind !== 'pins') return pins;
  const settled = settleVips(intent.namespace, steps, registry, context);
  if (settled.kind !== 'settled') return settled;
  const entry = target && withStatus(target, vipsOf(settled.steps), state.stored?.entry.status, context.now);
  const work = settled.steps.filter((step) => !isIdle(step));
  return {
    kind: 'write',
    ...consequence(state.stored?.entry, entry ?? state.pending?.entry, entry !== undefined),
    ...nextTransaction({ intent, state, entry, work, pins: pins.blocks }, registry, context),
    hosts: steps.map((step) => step.host),
    claims: after,
  };
}

function hostSteps(
  intent: Intent,
  before: readonly HostClaim[],
  after: readonly HostClaim[],
  registry: RegistryView,
): HostStep[] | NeedsReads {
  const hosts = [...new Set([...after, ...before].map((claim) => claim.host))];
  const unread = hosts.filter((host) => registry.host(host) === undefined);
  if (unread.length > 0) return { kind: 'reads', reads: { ...NO_READS, hosts: unread } };
  const key = entryKey(intent.namespace, intent.name);
  const claims = new Map(after.map((claim) => [claim.host, claim]));
  return hosts.flatMap((host) => {
    const state = registry.host(host);
    return state ? [stepOf(host, state, intent.namespace, key, claims.get(host))] : [];
  });
}

function firstRejection(steps: readonly HostStep[]): Rejection | undefined {
  for (const step of steps) {
    const rejection = (step.after && hostConflict(step.after, step.others)) ?? tooLarge(step);
    if (rejection) return rejection;
  }
  return undefined;
}

function tooLarge(step: HostStep): Rejection | undefined {
  const octets = Buffer.byteLength(JSON.stringify([...step.others, ...(step.after ? [step.after] : [])]));
  if (octets <= LARGEST_HOST_OCTETS) return undefined;
  return {
    kind: 'rejected',
    reason: 'TooLarge',
    message:
      `spec.hosts: host "${step.host}" would need ${octets} octets for all entries that name it; ` +
      `at most ${LARGEST_HOST_OCTETS} fit`,
  };
}

const isIdle = (step: SettledStep): boolean =>
  (step.vip.kind === 'none' || step.vip.kind === 'keep') && isDeepStrictEqual(step.before, step.after);

function consequence(
  before: ServiceEntry | undefined,
  after: ServiceEntry | undefined,
  stays: boolean,
): { outcome: CommitKind; entry: ServiceEntry } {
  const entry = stays ? after : (before ?? after);
  if (!entry) throw new Error('a change from nothing to nothing');
  return { outcome: !stays ? 'deleted' : before ? 'configured' : 'created', entry };
}

/** The VIPs that the entry's own hosts hold after the change. */
function vipsOf(steps: readonly SettledStep[]): ReadonlyMap<string, HeldVip> {
  return new Map(
    steps.flatMap(({ host, after, vipAfter }) => (after?.wantsVip && vipAfter ? [[host, vipAfter] as const] : [])),
  );
}

interface Work {
  readonly intent: Intent;
  readonly state: EntryState;
  /** As it will be stored; undefined when it goes. */
  readonly entry: ServiceEntry | undefined;
  /** Steps and pins that are still to be done. */
  readonly work: readonly SettledStep[];
  readonly pins: readonly BlockPins[];
}

function conditionOf({ stored, pending }: EntryState): EntryCondition {
  return {
    ...(stored ? { resourceVersion: stored.resourceVersion } : {}),
    ...(pending ? { pendingWriteId: pending.writeId } : {}),
  };
}

function finalAction({ intent, state, entry }: Work): EntryAction {
  const item = { on: 'entry', namespace: intent.namespace, name: intent.name, expect: conditionOf(state) } as const;
  if (!entry) return { ...item, kind: 'delete' };
  return intent.goal.kind === 'restore' ? { ...item, kind: 'withdraw' } : { ...item, kind: 'put', entry };
}

/** As many of the steps and pins as one transaction carries. */
function firstPart(
  work: readonly SettledStep[],
  pins: readonly BlockPins[],
): { steps: SettledStep[]; pins: BlockPins[] } {
  let room = LARGEST_TRANSACTION;
  const steps: SettledStep[] = [];
  for (const step of work) {
    room -= costOf(step);
    if (room < 0) return { steps, pins: [] };
    steps.push(step);
  }
  return { steps, pins: pins.slice(0, room) };
}

/** Everything at once where it fits; else the announcement, then part by part, and the entry itself at the end. */
function nextTransaction(
  work: Work,
  registry: RegistryView,
  context: ChangeContext,
): { stage: 'begin' | 'part' | 'final'; actions: readonly Action[] } {
  const { intent, state, entry } = work;
  const item = { on: 'entry', namespace: intent.namespace, name: intent.name } as const;
  const part = firstPart(work.work, work.pins);
  const actions = assembleActions(intent, part.steps, part.pins, registry, context);
  if (part.steps.length === work.work.length && part.pins.length === work.pins.length) {
    return { stage: 'final', actions: [finalAction(work), ...actions] };
  }
  if (state.pending?.writeId === context.writeId) {
    return { stage: 'part', actions: [{ ...item, kind: 'check', writeId: context.writeId }, ...actions] };
  }
  const pending = {
    writeId: context.writeId,
    until: context.now + PENDING_MS,
    superseded: announced(state.pending),
    ...(entry ? { entry } : {}),
  };
  return { stage: 'begin', actions: [{ ...item, kind: 'begin', pending, expect: conditionOf(state) }] };
}
