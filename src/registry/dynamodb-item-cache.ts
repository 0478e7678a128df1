import { LRUCache } from 'lru-cache';
import { CommitWatch, type CommitWatchOptions } from './dynamodb-commit-watch.ts';
import { ItemReads, type ReadStart } from './dynamodb-item-reads.ts';
import type { Item } from './dynamodb-items.ts';
import { octetsOf } from './dynamodb-room.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { isTrueBefore } from './is-true-before.ts';
import { type ItemKey, keyText } from './keys.ts';
import type { Outage } from './outage.ts';

export interface ItemCacheOptions extends CommitWatchOptions {
  /** For how long what was read, or seen to be unchanged, counts as current. */
  readonly registryCacheMs: number;
  /** How old it may be and still answer when the table cannot be read. */
  readonly staleMaxMs: number;
  /** Of one read. */
  readonly budgetMs: number;
}

export interface Items {
  readonly items: ReadonlyMap<string, Item | null>;
  /** They could not be read again: this is how they were. */
  readonly stale: boolean;
}

interface Cached extends ReadStart {
  readonly item: Item | null;
}

/** Items kept between queries, absent ones too: names are attacker-chosen, and items as large as their users make them. */
const MOST_ITEMS = 50_000;
const MOST_OCTETS = 64 * 1024 * 1024;
/** An entry of the cache without an item, and an attribute of an item without its value, as they take up memory. */
const ENTRY_OCTETS = 300;
const ATTRIBUTE_OCTETS = 200;
/** An attribute, read and decoded, takes up more than its octets in the store. */
const IN_MEMORY = 2;

function octetsInMemory(item: Item | null): number {
  const attributes = Object.values(item ?? {}).map((value) => ATTRIBUTE_OCTETS + IN_MEMORY * octetsOf(value));
  return attributes.reduce((sum, octets) => sum + octets, ENTRY_OCTETS);
}

/** What a person repairs in the table by hand moves no counter. */
const LONGEST_MS = 600_000;

/** When it was certainly so: when it was read, or when the last look began that found nothing committed since. */
const trueAt = ({ readAt, epoch }: Cached): number => Math.max(readAt, epoch?.confirmedAt ?? readAt);

/** The table cannot be read, and what is known of it is nothing, or too old. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/**
 * Items of the table with their age: current, or stale when nobody can tell. One look at the change counters keeps
 * everything current of which it shows that nothing was committed since it was read; when something was, each item is
 * read again once it is asked for. An item that no look can vouch for is read again when its own time is over.
 */
export class ItemCache {
  readonly #options: ItemCacheOptions;
  readonly #outage: Outage;
  readonly #watch: CommitWatch;
  readonly #reads: ItemReads;
  readonly #items = new LRUCache<string, Cached>({
    max: MOST_ITEMS,
    maxSize: MOST_OCTETS,
    sizeCalculation: ({ item }) => octetsInMemory(item),
  });

  constructor(source: TableClient, outage: Outage, options: ItemCacheOptions) {
    const { budgetMs: timeoutMs, now } = options;
    this.#options = options;
    this.#outage = outage;
    this.#watch = new CommitWatch(source, outage, options);
    this.#reads = new ItemReads(source, outage, {
      timeoutMs,
      start: () => ({ readAt: now(), epoch: this.#watch.settled }),
      keep: ({ key, outdated, ...read }) => {
        if (!outdated) this.#items.set(key, read);
        else if (!this.#items.has(key)) this.#items.set(key, this.#expired(read));
      },
    });
  }

  /**
   * Each key's item, looked after where it is not current; `limit` is asked for when there is something to wait for.
   * @throws Unreadable
   */
  async get(keys: readonly ItemKey[], limit: () => AbortSignal): Promise<Items> {
    const wanted = keys.filter((key) => !this.#isCurrent(key));
    const stale = wanted.length > 0 && !(await isTrueBefore(limit(), this.#refresh(wanted)));
    const oldest = this.#options.now() - this.#options.staleMaxMs;
    const items = new Map<string, Item | null>();
    for (const key of keys) {
      const cached = this.#items.get(keyText(key));
      if (!cached || (stale && trueAt(cached) < oldest)) throw new Unreadable();
      items.set(keyText(key), cached.item);
    }
    return { items, stale };
  }

  /** What is known of this item is no longer current. */
  expire(key: ItemKey): void {
    this.#reads.outdate(key);
    const cached = this.#items.peek(keyText(key));
    if (cached) this.#items.set(keyText(key), this.#expired(cached));
  }

  /** Whether all of them are current now. A look goes on beside the reads of those that cannot gain by it now. */
  async #refresh(keys: readonly ItemKey[]): Promise<boolean> {
    const { waiting = [], unknown = [] } = Object.groupBy(keys, (key) => (this.#mayGain(key) ? 'waiting' : 'unknown'));
    const reading = this.#reads.read(unknown);
    // While the store cannot be read, one call at a time finds out: it had better be one that somebody needs.
    if (waiting.length > 0 || !this.#outage.isOn) await this.#watch.look();
    const changed = waiting.filter((key) => !this.#isCurrent(key));
    const [wasRead, wasReadAgain] = await Promise.all([reading, this.#reads.read(changed)]);
    return wasRead && wasReadAgain;
  }

  #mayGain(key: ItemKey): boolean {
    const cached = this.#items.peek(keyText(key));
    return cached !== undefined && this.#isRecent(cached) && this.#watch.mayConfirm(cached.epoch);
  }

  #isCurrent(key: ItemKey): boolean {
    const { now, registryCacheMs } = this.#options;
    const cached = this.#items.get(keyText(key));
    return cached !== undefined && trueAt(cached) > now() - registryCacheMs && this.#isRecent(cached);
  }

  #isRecent({ readAt }: Cached): boolean {
    return readAt > this.#options.now() - LONGEST_MS;
  }

  #expired(cached: Cached): Cached {
    return { item: cached.item, readAt: trueAt(cached) - this.#options.registryCacheMs, epoch: undefined };
  }
}
