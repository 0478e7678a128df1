import { isDeepStrictEqual } from 'node:util';
import type { HostClaim } from '../serviceentry/claim.ts';
import { claimsOf } from '../serviceentry/claims.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { blockOfSlot, homeSlot, type Pool } from '../vip/pool.ts';
import type { Action } from './action.ts';
import { isUnchanged, refusal, reviseEntry, withStatus } from './entry-revision.ts';
import { type HostStep, hostConflict, protocolCautions, stepOf } from './host-change.ts';
import { entriesOf, nextTransaction } from './next-transaction.ts';
import { planPins } from './pin-change.ts';
import { type NeedsReads, NO_READS, type Reads } from './reads.ts';
import { type SettledStep, settleVips } from './settle.ts';
import { type EntryState, entryKey, type HeldVip, type HostState, NO_HOST, type RegistryView } from './state.ts';
import type { Precondition, Rejection } from './writer.ts';

/** What a caller wants to be so. */
export interface Intent {
  readonly namespace: string;
  readonly name: string;
  readonly goal:
    | { readonly kind: 'apply'; readonly entry: ServiceEntry }
    | { readonly kind: 'delete' }
    /** What the announced write was to do: whoever announced it is gone. */
    | { readonly kind: 'finish' }
    /** The entry in force, whatever the announced write has done to its hosts. */
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
  /** No announced write is left to be finished or undone. */
  | { readonly kind: 'settled' }
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
      /** What its author should know, and nothing forbids. */
      readonly warnings: readonly string[];
    };

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
function earlyOutcome({ goal, precondition, name }: Intent, { stored, pending }: EntryState): Change | undefined {
  const isInForce = goal.kind === 'apply' && stored && !pending && isUnchanged(stored.entry, goal.entry);
  const unchanged = isInForce ? ({ kind: 'unchanged', entry: stored.entry } as const) : undefined;
  // Whoever applies again what was committed without an answer names the version of before.
  if (unchanged && precondition.kind === 'unmodified') return unchanged;
  const mustExist = goal.kind === 'delete' && precondition.kind !== 'present';
  return refusal(mustExist ? { kind: 'present' } : precondition, stored, name) ?? unchanged;
}

const isErrand = ({ goal }: Intent): boolean => goal.kind === 'finish' || goal.kind === 'restore';

/**
 * The next transaction of a write, decided from what has been read so far; or what else must be read first. Pure:
 * the caller reads, asks again, commits, and asks again with what it learnt when a condition failed. What has been
 * done is seen in the items themselves, so that a write of many transactions can be taken up anywhere.
 */
export function planChange(intent: Intent, registry: RegistryView, context: ChangeContext): Change {
  const state = registry.entry(intent.namespace, intent.name);
  if (state === undefined) return { kind: 'reads', reads: firstReads(intent, context.pool) };
  const ours = state.pending?.writeId === context.writeId;
  const theirs = state.pending && !ours && state.pending.until > context.now;
  if (isErrand(intent) && (theirs || !state.pending)) return { kind: 'settled' };
  if (theirs) return { kind: 'busy' };
  const early = ours || isErrand(intent) ? undefined : earlyOutcome(intent, state);
  return early ?? planHosts(intent, state, registry, context);
}

/** The entry as it shall be stored: announced writes have said so already. */
function targetOf({ goal }: Intent, { stored, pending }: EntryState, context: ChangeContext): ServiceEntry | undefined {
  switch (goal.kind) {
    case 'apply':
      return pending?.writeId === context.writeId && pending.entry
        ? pending.entry
        : reviseEntry(stored?.entry, goal.entry, { now: context.now, uid: context.writeId });
    case 'finish':
      return pending?.entry;
    case 'restore':
      return stored?.entry;
    case 'delete':
      return undefined;
  }
}

function planHosts(intent: Intent, state: EntryState, registry: RegistryView, context: ChangeContext): Change {
  const target = targetOf(intent, state, context);
  const after = target ? claimsOf(target) : [];
  const before = entriesOf(state).flatMap(claimsOf);
  const steps = hostSteps(intent, state, before, after, registry);
  if (!Array.isArray(steps)) return steps;
  const rejection = intent.goal.kind === 'restore' ? undefined : firstRejection(steps, registry);
  if (rejection) return rejection;
  const pins = planPins(intent, state.pending !== undefined, before, after, steps, registry, context);
  if (pins.kind !== 'pins') return pins;
  const settled = settleVips(intent.namespace, steps, pins.blocks, registry, context);
  if (settled.kind !== 'settled') return settled;
  const entry = target && withStatus(target, vipsOf(settled.steps), state.stored?.entry.status, context.now);
  const work = settled.steps.filter((step) => !isIdle(step));
  return {
    kind: 'write',
    ...consequence(entriesOf(state), state.stored !== undefined, entry),
    ...nextTransaction({ intent, state, entry, work, pins: pins.blocks }, registry, context),
    hosts: steps.map((step) => step.host),
    claims: after,
    warnings: cautionsOf(steps, registry),
  };
}

const cautionsOf = (steps: readonly HostStep[], registry: RegistryView): string[] =>
  steps.flatMap(({ host, after }) => (after ? protocolCautions(after, registry.host(host) ?? NO_HOST) : []));

/**
 * An idle step is not part of the transaction, so nothing checks what it was judged by. Without an announced write it
 * is the entry in force that says what its hosts hold, and the entry is checked. With one it is the hosts themselves:
 * only the announcer changes their claims, and it has read them after it had announced.
 */
function hostSteps(
  intent: Intent,
  { stored, pending }: EntryState,
  before: readonly HostClaim[],
  after: readonly HostClaim[],
  registry: RegistryView,
): HostStep[] | NeedsReads {
  const hosts = [...new Set([...after, ...before].map((claim) => claim.host))];
  const unread = hosts.filter((host) => registry.host(host) === undefined);
  if (unread.length > 0) return { kind: 'reads', reads: { ...NO_READS, hosts: unread } };
  const key = entryKey(intent.namespace, intent.name);
  const claims = new Map(after.map((claim) => [claim.host, claim]));
  const inForce = new Map(stored ? claimsOf(stored.entry).map((claim) => [claim.host, claim]) : []);
  return hosts.map((host) => {
    const state = registry.host(host) ?? NO_HOST;
    const claim = pending ? state.claims.get(key) : inForce.get(host);
    return stepOf(host, state, intent.namespace, key, { before: claim, after: claims.get(host) });
  });
}

/** What stands already was judged when it was written: later entries were judged against it. */
function firstRejection(steps: readonly HostStep[], registry: RegistryView): Rejection | undefined {
  for (const step of steps) {
    if (!step.after || isDeepStrictEqual(step.before, step.after)) continue;
    const rejection = hostConflict(step.after, step.others) ?? tooLarge(step, registry.host(step.host) ?? NO_HOST);
    if (rejection) return rejection;
  }
  return undefined;
}

function tooLarge(step: HostStep, { claims }: HostState): Rejection | undefined {
  const octets = Buffer.byteLength(JSON.stringify([...claims.values(), step.after]));
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
  before: readonly ServiceEntry[],
  isStored: boolean,
  after: ServiceEntry | undefined,
): { outcome: CommitKind; entry: ServiceEntry } {
  const entry = after ?? before[0];
  if (!entry) throw new Error('a change from nothing to nothing');
  return { outcome: !after ? 'deleted' : isStored ? 'configured' : 'created', entry };
}

/** The VIPs that the entry's own hosts hold after the change. */
function vipsOf(steps: readonly SettledStep[]): ReadonlyMap<string, HeldVip> {
  return new Map(
    steps.flatMap(({ host, after, vipAfter }) => (after?.wantsVip && vipAfter ? [[host, vipAfter] as const] : [])),
  );
}
