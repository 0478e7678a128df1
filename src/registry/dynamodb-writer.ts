import { randomUUID } from 'node:crypto';
import { TransactionCanceledException, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import type { Pool } from '../vip/pool.ts';
import { type Change, type Intent, planChange } from './change.ts';
import { keyOfAction, transactItems } from './dynamodb-actions.ts';
import { isTransient } from './dynamodb-faults.ts';
import { createMakeFindable, type MakeFindable } from './dynamodb-findable.ts';
import { pause, Snapshot, type TableClient } from './dynamodb-snapshot.ts';
import { PoolMismatchError, RegistryUnavailableError } from './errors.ts';
import type { RegistryWriter, Rejection, WriteOptions, WriteOutcome } from './writer.ts';

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

/** TransactWriteItems takes at most this many items. */
const LARGEST_TRANSACTION = 100;

/** One write, from what is wanted to what was committed: read, plan, commit under conditions, learn, plan again. */
class Write {
  readonly #source: TableClient;
  readonly #options: WriterOptions;
  readonly #makeFindable: MakeFindable;
  readonly #intent: Intent;
  readonly #dryRun: boolean;
  readonly #writeId = randomUUID();
  readonly #snapshot: Snapshot;
  /** Sent, but nobody said whether it was committed. */
  #unacknowledged: CommittingChange | undefined;

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
    if (this.#unacknowledged && this.#isCommitted()) return outcomeOf(this.#unacknowledged);
    if (change.kind === 'unchanged') return { kind: 'unchanged', entry: change.entry, hosts: [] };
    if (change.kind === 'rejected') return change;
    if (change.actions.length >= LARGEST_TRANSACTION) return tooManyHosts(change);
    if (this.#dryRun) return outcomeOf(change);
    await this.#makeFindable(change.claims, this.#snapshot.suffixes, signal);
    return this.#commit(change, signal);
  }

  async #plan(signal: AbortSignal): Promise<Exclude<Change, { kind: 'reads' }>> {
    const { pool, draining, tombstoneMs, now = Date.now } = this.#options;
    const context = { pool, draining, tombstoneMs, uid: this.#writeId, now: now() };
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
      return outcomeOf(change);
    } catch (error) {
      if (error instanceof TransactionCanceledException) return this.#learn(error, change);
      this.#unacknowledged = change;
      throw error;
    }
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
    const entry = this.#snapshot.entry(this.#intent.namespace, this.#intent.name);
    return this.#intent.desired ? entry?.writeId === this.#writeId : entry === null;
  }
}

const outcomeOf = (change: CommittingChange): WriteOutcome => ({
  kind: change.outcome,
  entry: change.entry,
  hosts: change.hosts,
});

const tooManyHosts = (change: CommittingChange): Rejection => ({
  kind: 'rejected',
  reason: 'TooLarge',
  message: `spec.hosts: ${change.hosts.length} hosts are more than one write can carry; split the entry`,
});

/** The writer over a DynamoDB table that `openRegistry` has prepared. */
export function createDynamoDbWriter(source: TableClient, options: WriterOptions): RegistryWriter {
  const makeFindable = createMakeFindable(source);
  const write = (intent: Intent, dryRun: boolean | undefined, signal: AbortSignal) =>
    new Write(source, options, makeFindable, intent, dryRun ?? false).run(signal);
  const intentOf = (
    namespace: string,
    name: string,
    desired: ServiceEntry | undefined,
    given: WriteOptions,
  ): Intent => ({
    namespace,
    name,
    desired,
    precondition: given.precondition ?? { kind: 'none' },
  });
  return {
    apply: (entry, given, signal) =>
      write(intentOf(entry.metadata.namespace, entry.metadata.name, entry, given), given.dryRun, signal),
    remove: (namespace, name, given, signal) =>
      write(intentOf(namespace, name, undefined, given), given.dryRun, signal),
  };
}
