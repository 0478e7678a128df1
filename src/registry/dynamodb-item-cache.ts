import { LRUCache } from 'lru-cache';
import { ItemReads } from './dynamodb-item-reads.ts';
import type { Item } from './dynamodb-items.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { isTrueBefore } from './is-true-before.ts';
import { type ItemKey, keyText } from './keys.ts';
import type { Outage } from './outage.ts';

export interface ItemCacheOptions {
  /** How old what was read may be and still count as current. */
  readonly registryCacheMs: number;
  /** How old it may be and still answer when the table cannot be read. */
  readonly staleMaxMs: number;
  /** Of one read. */
  readonly budgetMs: number;
  readonly now: () => number;
}

export interface Items {
  readonly items: ReadonlyMap<string, Item | null>;
  /** They could not be read again: this is how they were. */
  readonly stale: boolean;
}

interface Cached {
  readonly item: Item | null;
  readonly readAt: number;
}

/** Items kept between queries, absent ones too: names are attacker-chosen, and items as large as their users make them. */
const MOST_ITEMS = 50_000;
const MOST_OCTETS = 64 * 1024 * 1024;
/** An entry of the cache without an item, and an attribute of an item, as they take up memory. */
const ENTRY_OCTETS = 300;
const ATTRIBUTE_OCTETS = 500;

/** The table cannot be read, and what is known of it is nothing, or too old. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/** Items of the table with their age: current, or stale when they cannot be read again. */
export class ItemCache {
  readonly #options: ItemCacheOptions;
  readonly #reads: ItemReads;
  readonly #items = new LRUCache<string, Cached>({
    max: MOST_ITEMS,
    maxSize: MOST_OCTETS,
    sizeCalculation: ({ item }) => ENTRY_OCTETS + ATTRIBUTE_OCTETS * (item ? Object.keys(item).length : 0),
  });

  constructor(source: TableClient, outage: Outage, options: ItemCacheOptions) {
    const { budgetMs: timeoutMs, now, registryCacheMs } = options;
    this.#options = options;
    this.#reads = new ItemReads(source, outage, {
      timeoutMs,
      now,
      keep: ({ key, item, readAt, outdated }) => {
        if (!outdated) this.#items.set(key, { item, readAt });
        else if (!this.#items.has(key)) this.#items.set(key, { item, readAt: readAt - registryCacheMs });
      },
    });
  }

  /**
   * Each key's item, read where it is not current; `limit` is asked for when there is something to wait for.
   * @throws Unreadable
   */
  async get(keys: readonly ItemKey[], limit: () => AbortSignal): Promise<Items> {
    const wanted = keys.filter((key) => !this.#isCurrent(key));
    const stale = wanted.length > 0 && !(await isTrueBefore(limit(), this.#reads.read(wanted)));
    const oldest = this.#options.now() - this.#options.staleMaxMs;
    const items = new Map<string, Item | null>();
    for (const key of keys) {
      const cached = this.#items.get(keyText(key));
      if (!cached || (stale && cached.readAt < oldest)) throw new Unreadable();
      items.set(keyText(key), cached.item);
    }
    return { items, stale };
  }

  /** What is known of this item is no longer current. */
  expire(key: ItemKey): void {
    this.#reads.outdate(key);
    const cached = this.#items.peek(keyText(key));
    if (cached) this.#items.set(keyText(key), { ...cached, readAt: cached.readAt - this.#options.registryCacheMs });
  }

  #isCurrent(key: ItemKey): boolean {
    const cached = this.#items.get(keyText(key));
    return cached !== undefined && cached.readAt > this.#options.now() - this.#options.registryCacheMs;
  }
}
