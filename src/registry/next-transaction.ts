import { isDeepStrictEqual } from 'node:util';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import type { Action, EntryAction, EntryCondition } from './action.ts';
import { assembleActions, costOf, type Part } from './assemble.ts';
import type { ChangeContext, Intent } from './change.ts';
import type { BlockPins } from './pin-change.ts';
import type { SettledStep } from './settle.ts';
import type { EntryState, PendingWrite, RegistryView } from './state.ts';

/** TransactWriteItems takes 100 items; one is the entry, one the change counter. */
const LARGEST_TRANSACTION = 98;
/** And 4 MB of items as they will be: what the hosts leave of it is enough for the entry (400 KB) and the blocks. */
const MOST_HOST_OCTETS = 2.5 * 1024 * 1024;

/** A writer that is still alive has finished or given up by then. */
export const PENDING_MS = 60_000;

/** The versions of an entry that its announced write may have begun to put in force. */
const announced = (pending: PendingWrite | undefined): ServiceEntry[] =>
  pending ? [...(pending.entry ? [pending.entry] : []), ...pending.superseded] : [];

/** Whatever may have left a claim on a host or a pin on a block. */
export const entriesOf = ({ stored, pending }: EntryState): ServiceEntry[] => [
  ...(stored ? [stored.entry] : []),
  ...announced(pending),
];

/** What a write has still to do. */
export interface Work {
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

/**
 * As much as one transaction carries. What is added comes first, then what is taken away: when the first removal is
 * committed nothing is left that could be refused, so a write is undone only while it has removed nothing.
 */
function firstPart({ work, pins }: Work, registry: RegistryView): Part & { readonly isAll: boolean } {
  const units: Part[] = [
    ...work.filter((step) => step.after).map((step) => ({ steps: [step], pins: [] })),
    ...pins.filter(({ kind }) => kind === 'pin').map((pin) => ({ steps: [], pins: [pin] })),
    ...work.filter((step) => !step.after).map((step) => ({ steps: [step], pins: [] })),
    ...pins.filter(({ kind }) => kind === 'unpin').map((pin) => ({ steps: [], pins: [pin] })),
  ];
  const fitting: Part[] = [];
  let items = 0;
  let octets = 0;
  for (const unit of units) {
    items += unit.pins.length;
    for (const step of unit.steps) {
      items += costOf(step);
      octets += hostOctets(step, registry);
    }
    if (items > LARGEST_TRANSACTION || octets > MOST_HOST_OCTETS) break;
    fitting.push(unit);
  }
  const [steps, pinned] = [fitting.flatMap((part) => part.steps), fitting.flatMap((part) => part.pins)];
  return { steps, pins: pinned, isAll: fitting.length === units.length };
}

function hostOctets({ host, after }: SettledStep, registry: RegistryView): number {
  const claims = [...(registry.host(host)?.claims.values() ?? [])];
  return Buffer.byteLength(JSON.stringify([...claims, after]));
}

/** Repeated announcements of the same leave the same behind. */
const distinctSpecs = (entries: readonly ServiceEntry[]): ServiceEntry[] =>
  entries.filter((entry, index) => entries.findIndex((other) => isDeepStrictEqual(other.spec, entry.spec)) === index);

/**
 * Everything at once where it fits; else the announcement, then part by part, and the entry itself at the end. Whoever
 * takes over an announced write announces its own first: from then on the other one, if it still lives, commits nothing.
 */
export function nextTransaction(
  work: Work,
  registry: RegistryView,
  context: ChangeContext,
): { stage: 'begin' | 'part' | 'final'; actions: readonly Action[] } {
  const { intent, state, entry } = work;
  const item = { on: 'entry', namespace: intent.namespace, name: intent.name } as const;
  const part = firstPart(work, registry);
  const actions = assembleActions(intent, part, work.pins, registry, context);
  const isOurs = state.pending?.writeId === context.writeId;
  if (part.isAll && (isOurs || !state.pending)) return { stage: 'final', actions: [finalAction(work), ...actions] };
  if (isOurs) {
    return { stage: 'part', actions: [{ ...item, kind: 'check', writeId: context.writeId }, ...actions] };
  }
  const pending = {
    writeId: context.writeId,
    until: context.now + PENDING_MS,
    superseded: distinctSpecs(announced(state.pending)),
    ...(entry ? { entry } : {}),
  };
  return { stage: 'begin', actions: [{ ...item, kind: 'begin', pending, expect: conditionOf(state) }] };
}
