import { randomUUID } from 'node:crypto';
import { TransactionCanceledException, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import type { Pool } from '../vip/pool.ts';
import { type Change, type Intent, planChange } from './change.ts';
import { keyOfAction, transactItems } from './dynamodb-actions.ts';
import { isTransient } from './dynamodb-faults.ts';
import { createMakeFindable, type MakeFindable } from './dynamodb-findable.ts';
import { pause, Snapshot, type TableClient } from './dynamodb-snapshot.ts';
import { PoolMismatchError, RegistryUnavailableError } from './errors.ts';
import type { RegistryWriter, Rejection, WriteOutcome } from './writer.ts';

export interface WriterOptions {
  /** The pool that allocations come from: it must be the table's active one. */
  readonly pool: Pool;
  readonly draining: readonly Pool[];
  readonly tombstoneMs: number;
  readonly now?: () => number;
  /** For the jitter of retries. */
  readonly random?: () => number;
}

type CommittingChange = Extract<Change, { kind: 'write' }>;

/** A try that did not end the write: try again at once, with what was learnt, or after a pause. */
type Again = 'again' | 'later';

/** One write, from what is wanted to what was committed: read, plan, commit under conditions, learn, plan again. */
class Write {
  readonly #source: TableClient;
  readonly #options: WriterOptions;
  readonly #makeFindable: MakeFindable;
  #intent: Intent;
  readonly #dryRun: boolean;
  readonly #writeId = randomUUID();
  readonly #snapshot: Snapshot;
  /** Sent, but nobody said whether it was committed. */
  #unacknowledged: CommittingChange | undefined;
  /** Why the announced write is being undone. */
  #rejection: Rejection | undefined;

  constructor(
    source: TableClient,
    options: WriterOptions,
    makeFindable: MakeFindable,
    intent: Intent,
    dryRun: boolean,
  ) {
    this.#source = source;
    this.#options = options;
    this.#makeFindable = makeFindable;
    this.#intent = intent;
    this.#dryRun = dryRun;
    this.#snapshot = new Snapshot(source, options.pool.id);
  }

  async run(signal: AbortSignal): Promise<WriteOutcome> {
    let fault: unknown;
    for (let tries = 0; !signal.aborted; tries++) {
      const result = await this.#try(signal).catch((error: unknown): Again => {
        if (!isTransient(error)) throw error;
        fault = error;
        this.#snapshot.forget();
        return 'later';
      });
      if (result === 'later') await pause(tries, signal, this.#options.random);
      else if (result !== 'again') return result;
    }
    const { namespace, name } = this.#intent;
    throw new RegistryUnavailableError(`the registry did not settle the write of ${namespace}/${name} in time`, {
      cause: fault ?? signal.reason,
    });
  }

  async #try(signal: AbortSignal): Promise<WriteOutcome | Again> {
    const change = await this.#plan(signal);
    if (this.#unacknowledged && this.#isCommitted()) return this.#rejection ?? outcomeOf(this.#unacknowledged);
    switch (change.kind) {
      case 'unchanged':
        return { kind: 'unchanged', entry: change.entry, hosts: [] };
      case 'rejected':
        return this.#reject(change);
      case 'busy':
        this.#snapshot.forget();
        return 'later';
      case 'write':
        if (this.#dryRun) return outcomeOf(change);
        await this.#makeFindable(change.claims, this.#snapshot.suffixes, signal);
        return this.#commit(change, signal);
    }
  }

  /** Half a write cannot stay: what was announced is undone, and then it is as if nothing had been asked. */
  #reject(rejection: Rejection): WriteOutcome | Again {
    const { namespace, name } = this.#intent;
    const { pending } = this.#snapshot.entry(namespace, name) ?? {};
    if (pending?.writeId !== this.#writeId || this.#rejection) return rejection;
    this.#rejection = rejection;
    this.#intent = { ...this.#intent, goal: { kind: 'restore' } };
    return 'again';
  }

  async #plan(signal: AbortSignal): Promise<Exclude<Change, { kind: 'reads' }>> {
    const { pool, draining, tombstoneMs, now = Date.now } = this.#options;
    const context = { pool, draining, tombstoneMs, writeId: this.#writeId, now: now() };
    for (;;) {
      const change = planChange(this.#intent, this.#snapshot, context);
      if (change.kind !== 'reads') return change;
      await this.#snapshot.read(this.#intent, change.reads, signal);
      const { poolState } = this.#snapshot;
      if (poolState !== 'active') throw new PoolMismatchError(pool.id, poolState ?? 'other pools');
    }
  }

  async #commit(change: CommittingChange, signal: AbortSignal): Promise<WriteOutcome | Again> {
    const items = transactItems(change.actions, this.#intent, this.#source.table, this.#writeId);
    try {
      await this.#source.client.send(new TransactWriteItemsCommand({ TransactItems: items }), { abortSignal: signal });
    } catch (error) {
      if (error instanceof TransactionCanceledException) return this.#learn(error, change);
      if (change.stage === 'final') this.#unacknowledged = change;
      throw error;
    }
    if (change.stage === 'final') return this.#rejection ?? outcomeOf(change);
    this.#snapshot.forget();
    return 'again';
  }

  /** What failed conditions saw replaces what had been read. A stranger's transaction in flight costs a pause. */
  #learn(error: TransactionCanceledException, change: CommittingChange): Again {
    const reasons = error.CancellationReasons ?? [];
    if (reasons.some((reason) => reason.Code === 'ValidationError')) throw error;
    let learnt = false;
    for (const [index, action] of change.actions.entries()) {
      const reason = reasons[index];
      if (reason?.Code !== 'ConditionalCheckFailed') continue;
      this.#snapshot.learn(keyOfAction(action), reason.Item);
      learnt = true;
    }
    if (learnt) return 'again';
    this.#snapshot.forget();
    return 'later';
  }

  /** The entry carries our `writeId`; a delete leaves nothing to carry one, and nothing is what was wanted. */
  #isCommitted(): boolean {
    const { namespace, name, goal } = this.#intent;
    const state = this.#snapshot.entry(namespace, name);
    return goal.kind === 'apply' ? state?.stored?.writeId === this.#writeId : state?.stored === undefined;
  }
}

const outcomeOf = (change: CommittingChange): WriteOutcome => ({
  kind: change.outcome,
  entry: change.entry,
  hosts: change.hosts,
});

/** The writer over a DynamoDB table that `openRegistry` has prepared. */
export function createDynamoDbWriter(source: TableClient, options: WriterOptions): RegistryWriter {
  const makeFindable = createMakeFindable(source);
  const write = (intent: Intent, dryRun: boolean | undefined, signal: AbortSignal) =>
    new Write(source, options, makeFindable, intent, dryRun ?? false).run(signal);
  return {
    apply(entry, { precondition = { kind: 'none' }, dryRun }, signal) {
      const { namespace, name } = entry.metadata;
      return write({ namespace, name, goal: { kind: 'apply', entry }, precondition }, dryRun, signal);
    },
    remove(namespace, name, { precondition = { kind: 'none' }, dryRun }, signal) {
      return write({ namespace, name, goal: { kind: 'delete' }, precondition }, dryRun, signal);
    },
  };
}
