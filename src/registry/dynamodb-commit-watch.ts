import type { TableClient } from './dynamodb-snapshot.ts';
import { readVersion } from './dynamodb-version.ts';
import type { Outage } from './outage.ts';

/** A time in which nothing is committed, as far as looks at the change counters tell. */
export interface Epoch {
  readonly version: string;
  /** When it was first known: the counters had been read by then. */
  readonly since: number;
  /** When the latest look that found the counters unmoved began: nothing had been committed by then. */
  confirmedAt: number;
}

export interface CommitWatchOptions {
  /** How old a look may be and still tell what is current; 0: there is no use in looking. */
  readonly registryCacheMs: number;
  /** Of one look. */
  readonly budgetMs: number;
  /** Told when a look finds that something was committed. */
  readonly moved: () => void;
  readonly now: () => number;
}

/** Reads that are not consistent may miss a commit for about a second, also one that a look has already seen. */
const SETTLED_MS = 2_000;

/**
 * Tells, for all items at once and at the price of half a read unit, that nothing was committed.
 *
 * The order of reads makes it true. Every commit moves a counter in its own transaction. An item that is read after the
 * counters were seen at some version, and long enough after for that commit to have reached every replica, is in the
 * state of that version or a later one. A later look that finds the same version shows that there was no later one when
 * the look began. An item read before its look would prove nothing: a commit between the two would be in what the look
 * saw, and not in the item.
 */
export class CommitWatch {
  readonly #source: TableClient;
  readonly #outage: Outage;
  readonly #options: CommitWatchOptions;
  #epoch: Epoch | undefined;
  #underWay: Promise<void> | undefined;

  constructor(source: TableClient, outage: Outage, options: CommitWatchOptions) {
    this.#source = source;
    this.#outage = outage;
    this.#options = options;
  }

  /** What an item belongs to that is read from now on; undefined: later looks cannot tell that it is current. */
  get settled(): Epoch | undefined {
    const epoch = this.#epoch;
    return epoch && this.#options.now() - epoch.since >= SETTLED_MS ? epoch : undefined;
  }

  /** Whether a look may show that what was read in this epoch is current. */
  mayConfirm(epoch: Epoch | undefined): boolean {
    return epoch !== undefined && epoch === this.#epoch;
  }

  /** Looks at the counters, unless somebody did a moment ago; all who ask at the same time share one look. */
  async look(): Promise<void> {
    const { now, registryCacheMs } = this.#options;
    if (registryCacheMs === 0) return;
    if (this.#epoch && this.#epoch.confirmedAt > now() - registryCacheMs) return;
    this.#underWay ??= this.#look().finally(() => {
      this.#underWay = undefined;
    });
    await this.#underWay;
  }

  async #look(): Promise<void> {
    const { now, budgetMs, moved } = this.#options;
    const began = now();
    const signal = AbortSignal.timeout(budgetMs);
    const seen = await this.#outage.read(async () => ({ version: await readVersion(this.#source, signal) }));
    if (!seen) return;
    const before = this.#epoch;
    if (before?.version === seen.version) before.confirmedAt = began;
    else {
      this.#epoch = { version: seen.version, since: now(), confirmedAt: began };
      if (before) moved();
    }
  }
}
