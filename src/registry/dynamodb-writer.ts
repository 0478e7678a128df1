import { randomUUID } from 'node:crypto';
import { TransactionCanceledException, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { claimsOf } from '../serviceentry/claims.ts';
import type { Pool } from '../vip/pool.ts';
import { type Change, type Intent, planChange } from './change.ts';
import { keyOfAction, transactItems } from './dynamodb-actions.ts';
import { isTransient } from './dynamodb-faults.ts';
import { createMakeFindable, type MakeFindable } from './dynamodb-findable.ts';
import { tooLargeEntry, tooManySuffixes } from './dynamodb-room.ts';
import { pause, type Sleep, Snapshot, type TableClient } from './dynamodb-snapshot.ts';
import { PoolMismatchError, RegistryUnavailableError } from './errors.ts';
import type { Reads } from './reads.ts';
import type { RegistryWriter, Rejection, WriteOutcome } from './writer.ts';

export interface WriterOptions {
  /** The pool that allocations come from: it must be the table's active one. */
  readonly pool: Pool;
  readonly draining: readonly Pool[];
  readonly tombstoneMs: number;
  readonly now?: () => number;
  /** For the jitter of retries. */
  readonly random?: () => number;
  readonly sleep?: Sleep;
}

type CommittingChange = Extract<Change, { kind: 'write' }>;

/** A try that did not end the write: try again at once, with what was learnt, or after a pause. */
type Again = 'again' | 'later';

interface Sent {
  readonly change: CommittingChange;
  readonly command: TransactWriteItemsCommand;
}

/** One write, from what is wanted to what was committed: read, plan, commit under conditions, learn, plan again. */
class Write {
  readonly #source: TableClient;
  readonly #options: WriterOptions;
  readonly #makeFindable: MakeFindable;
  readonly #intent: Intent;
  readonly #dryRun: boolean;
  readonly #writeId = randomUUID();
  readonly #snapshot: Snapshot;
  /** Not refused, but not known to be committed: sent again under its token, it is committed once. */
  #unsettled: Sent | undefined;
  /** What is done first: an announced write, our own or that of somebody who is gone, cannot stay half done. */
  #errand: 'finish' | 'restore' | undefined;
  /** Why our own announced write is undone. */
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
    this.#snapshot = new Snapshot(source, options.pool);
  }

  async run(signal: AbortSignal): Promise<WriteOutcome> {
    let fault: unknown;
    for (let tries = 0; !signal.aborted; tries++) {
      const result = await this.#try(signal).catch((error: unknown): Again => {
        if (!isTransient(error)) throw error;
        fault = error;
        return 'later';
      });
      if (result === 'later') await pause(tries, signal, this.#options.random, this.#options.sleep);
      else if (result !== 'again') return result;
    }
    const { namespace, name } = this.#intent;
    throw new RegistryUnavailableError(`the registry did not settle the write of ${namespace}/${name} in time`, {
      cause: fault ?? signal.reason,
    });
  }

  async #try(signal: AbortSignal): Promise<WriteOutcome | Again> {
    if (this.#unsettled) return this.#send(this.#unsettled, signal);
    const change = await this.#plan(signal);
    switch (change.kind) {
      case 'unchanged':
        return { kind: 'unchanged', entry: change.entry, hosts: [] };
      case 'rejected':
        return this.#reject(change);
      case 'settled':
        return this.#afterErrand();
      case 'busy':
        this.#snapshot.forget();
        return 'later';
      case 'write': {
        const tooLarge = this.#tooLarge(change);
        if (tooLarge) return this.#reject(tooLarge);
        if (this.#dryRun) return this.#judged(change);
        await this.#makeFindable(change.claims, this.#snapshot.suffixes, signal);
        return this.#commit(change, signal);
      }
    }
  }

  /** What is not written gets no version of its own: the entry keeps the one in force, if there is one. */
  #judged(change: CommittingChange): WriteOutcome {
    const { resourceVersion: _, ...metadata } = change.entry.metadata;
    const { stored } = this.#snapshot.entry(this.#intent.namespace, this.#intent.name) ?? {};
    const inForce = stored ? { resourceVersion: stored.resourceVersion } : {};
    return outcomeOf({ ...change, entry: { ...change.entry, metadata: { ...metadata, ...inForce } } });
  }

  /** What the items of the store have no room for. */
  #tooLarge({ claims, actions }: CommittingChange): Rejection | undefined {
    const { suffixes, retiringSuffixes } = this.#snapshot;
    const { stored } = this.#snapshot.entry(this.#intent.namespace, this.#intent.name) ?? {};
    return tooManySuffixes(claims, suffixes, retiringSuffixes) ?? tooLargeEntry(actions, stored);
  }

  /** Whoever meets a write that is half done finishes it, or undoes it, before giving up: nothing is left behind. */
  #reject(rejection: Rejection): WriteOutcome | Again {
    const { stored, pending } = this.#snapshot.entry(this.#intent.namespace, this.#intent.name) ?? {};
    if (!pending || this.#dryRun || this.#errand === 'restore') return this.#rejection ?? rejection;
    const isOurs = pending.writeId === this.#writeId;
    if (isOurs && !this.#errand) this.#rejection = rejection;
    this.#errand = stored && !isOurs && !this.#errand ? 'finish' : 'restore';
    return 'again';
  }

  #afterErrand(): WriteOutcome | Again {
    if (this.#rejection) return this.#rejection;
    this.#errand = undefined;
    this.#snapshot.forget();
    return 'again';
  }

  async #plan(signal: AbortSignal): Promise<Exclude<Change, { kind: 'reads' }>> {
    const { pool, draining, tombstoneMs, now = Date.now } = this.#options;
    const context = { pool, draining, tombstoneMs, writeId: this.#writeId, now: now() };
    const intent: Intent = this.#errand ? { ...this.#intent, goal: { kind: this.#errand } } : this.#intent;
    for (;;) {
      const change = planChange(intent, this.#snapshot, context);
      if (change.kind !== 'reads') return change;
      await this.#read(change.reads, signal);
      const known = this.#snapshot.pool;
      if (!known?.isActive || known.ipv4 !== pool.ipv4) throw new PoolMismatchError(pool.ipv4, known);
    }
  }

  /** Every block is read in a second round trip: what has to be findable before the third can be made so at once. */
  async #read(reads: Reads, signal: AbortSignal): Promise<void> {
    const { goal } = this.#intent;
    const isEarly = reads.allBlocks && goal.kind === 'apply' && !this.#dryRun;
    const { suffixes, retiringSuffixes } = this.#snapshot;
    const wanted = isEarly ? claimsOf(goal.entry) : [];
    const claims = tooManySuffixes(wanted, suffixes, retiringSuffixes) ? [] : wanted;
    await Promise.all([this.#snapshot.read(this.#intent, reads, signal), this.#makeFindable(claims, suffixes, signal)]);
  }

  #commit(change: CommittingChange, signal: AbortSignal): Promise<WriteOutcome | Again> {
    const TransactItems = transactItems(change.actions, this.#intent, this.#source.table, this.#writeId);
    const command = new TransactWriteItemsCommand({ TransactItems, ClientRequestToken: randomUUID() });
    return this.#send({ change, command }, signal);
  }

  async #send(sent: Sent, signal: AbortSignal): Promise<WriteOutcome | Again> {
    this.#unsettled = undefined;
    try {
      await this.#source.client.send(sent.command, { abortSignal: signal });
    } catch (error) {
      if (error instanceof TransactionCanceledException) return this.#learn(error, sent);
      this.#unsettled = sent;
      throw error;
    }
    if (sent.change.stage === 'final') return this.#errand ? this.#afterErrand() : outcomeOf(sent.change);
    this.#snapshot.forget();
    return 'again';
  }

  /** What failed conditions saw replaces what had been read. A stranger's transaction in flight costs a pause. */
  #learn(error: TransactionCanceledException, sent: Sent): Again {
    const reasons = error.CancellationReasons ?? [];
    if (reasons.some((reason) => reason.Code === 'ValidationError')) throw error;
    const failed = sent.change.actions.flatMap((action, index) => {
      const reason = reasons[index];
      return reason?.Code === 'ConditionalCheckFailed' ? [{ key: keyOfAction(action), item: reason.Item }] : [];
    });
    const news = failed.filter(({ key, item }) => this.#snapshot.learn(key, item));
    if (news.length > 0) return 'again';
    // Nothing was learnt: the same plan again would fail the same way, and at once.
    if (failed.length > 0) this.#snapshot.forget();
    else this.#unsettled = sent;
    return 'later';
  }
}

const outcomeOf = (change: CommittingChange): WriteOutcome => ({
  kind: change.outcome,
  entry: change.entry,
  hosts: change.hosts,
  ...(change.warnings.length > 0 ? { warnings: change.warnings } : {}),
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
