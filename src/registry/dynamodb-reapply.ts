import { randomUUID } from 'node:crypto';
import { TransactionCanceledException, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import type { Action } from './action.ts';
import { type Change, type Intent, planChange } from './change.ts';
import { transactItems } from './dynamodb-actions.ts';
import { createMakeFindable } from './dynamodb-findable.ts';
import { pause, Snapshot, type TableClient } from './dynamodb-snapshot.ts';
import type { WriterOptions } from './dynamodb-writer.ts';
import { nextResourceVersion } from './entry-revision.ts';
import { PoolMismatchError } from './errors.ts';
import { PENDING_MS } from './next-transaction.ts';
import { NO_READS } from './reads.ts';
import type { EntryState, StoredEntry } from './state.ts';
import type { Rejection } from './writer.ts';

/** What came of it. `changedMeanwhile`: somebody else writes the entry, and so sets it right. */
export type Reapplied = { readonly kind: 'done' | 'changedMeanwhile' } | Rejection;

/** Brings all that belongs to one entry to what the entry says, as a write of several transactions. */
class Reapplication {
  readonly #source: TableClient;
  readonly #options: WriterOptions;
  readonly #place: { readonly namespace: string; readonly name: string };
  readonly #signal: AbortSignal;
  readonly #writeId = randomUUID();

  constructor(source: TableClient, options: WriterOptions, entry: string, signal: AbortSignal) {
    const [namespace = '', name = ''] = entry.split('/');
    this.#source = source;
    this.#options = options;
    this.#place = { namespace, name };
    this.#signal = signal;
  }

  async run(): Promise<Reapplied> {
    const { stored, pending } = await this.#state();
    if (pending && pending.until > this.#now()) return { kind: 'changedMeanwhile' };
    if (pending) return this.#end(stored !== undefined);
    return stored ? this.#again(stored) : { kind: 'changedMeanwhile' };
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  async #state(): Promise<EntryState> {
    const snapshot = new Snapshot(this.#source, this.#options.pool);
    await snapshot.read(this.#place, { ...NO_READS, entry: true }, this.#signal);
    return snapshot.entry(this.#place.namespace, this.#place.name) ?? {};
  }

  /** An abandoned write is finished where there was an entry before, and else undone, as a writer that meets it does. */
  async #end(isStored: boolean): Promise<Reapplied> {
    const finished = isStored ? await this.#carryOut('finish') : undefined;
    return finished && finished.kind !== 'rejected' ? finished : this.#carryOut('restore');
  }

  /** The entry in force is announced as if it were applied anew: others wait, and whoever finds it abandoned ends it. */
  async #again({ entry, resourceVersion }: StoredEntry): Promise<Reapplied> {
    const next = nextResourceVersion(resourceVersion, this.#now());
    const announced = { ...entry, metadata: { ...entry.metadata, resourceVersion: next } };
    const pending = { writeId: this.#writeId, until: this.#now() + PENDING_MS, entry: announced, superseded: [] };
    const begin: Action = { on: 'entry', ...this.#place, kind: 'begin', pending, expect: { resourceVersion } };
    if (!(await this.#commit([begin]))) return { kind: 'changedMeanwhile' };
    const finished = await this.#carryOut('finish');
    if (finished.kind !== 'rejected') return finished;
    const expect = { resourceVersion, pendingWriteId: this.#writeId };
    await this.#commit([{ on: 'entry', ...this.#place, kind: 'withdraw', expect }]);
    return finished;
  }

  async #carryOut(goal: 'finish' | 'restore'): Promise<Reapplied> {
    const makeFindable = createMakeFindable(this.#source);
    const intent: Intent = { ...this.#place, goal: { kind: goal }, precondition: { kind: 'none' } };
    for (let attempt = 0; !this.#signal.aborted; ) {
      const { change, snapshot } = await this.#plan(intent);
      if (change.kind === 'rejected') return change;
      if (change.kind !== 'write') return { kind: 'changedMeanwhile' };
      await makeFindable(change.claims, snapshot.suffixes, this.#signal);
      if (!(await this.#commit(change.actions))) await pause(attempt++, this.#signal);
      else if (change.stage === 'final') return { kind: 'done' };
    }
    throw this.#signal.reason;
  }

  async #plan(intent: Intent): Promise<{ readonly change: Change; readonly snapshot: Snapshot }> {
    const { pool, draining, tombstoneMs } = this.#options;
    const snapshot = new Snapshot(this.#source, pool);
    const context = { pool, draining, tombstoneMs, writeId: this.#writeId, now: this.#now() };
    for (;;) {
      const change = planChange(intent, snapshot, context);
      if (change.kind !== 'reads') return { change, snapshot };
      await snapshot.read(intent, change.reads, this.#signal);
      if (!snapshot.pool?.isActive) throw new PoolMismatchError(pool.ipv4, snapshot.pool);
    }
  }

  /** False: somebody has changed what it is about. */
  async #commit(actions: readonly Action[]): Promise<boolean> {
    const { client, table } = this.#source;
    const TransactItems = transactItems(actions, this.#place, table, this.#writeId);
    try {
      await client.send(new TransactWriteItemsCommand({ TransactItems }), { abortSignal: this.#signal });
      return true;
    } catch (error) {
      const reasons = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
      if (reasons.length === 0 || reasons.some(({ Code }) => Code === 'ValidationError')) throw error;
      return false;
    }
  }
}

/** Claims, pins, virtual IPs and status of one entry (`namespace/name`); an abandoned write of it is ended first. */
export const reapplyEntry = (
  source: TableClient,
  options: WriterOptions,
  entry: string,
  signal: AbortSignal,
): Promise<Reapplied> => new Reapplication(source, options, entry, signal).run();
