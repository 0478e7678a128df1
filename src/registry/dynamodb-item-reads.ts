import type { Item } from './dynamodb-items.ts';
import { batchGet, type TableClient } from './dynamodb-snapshot.ts';
import { type ItemKey, keyText } from './keys.ts';
import type { Outage } from './outage.ts';

/** Keys of one BatchGetItem. */
const BATCH = 100;
/** More than a process can use of a table that answers; what comes meanwhile shares the next ones. */
const MOST_CALLS = 16;

/** An item as it was read; null when it was not there. */
export interface ItemRead {
  readonly key: string;
  readonly item: Item | null;
  readonly readAt: number;
  /** It may have changed since: somebody said so while it was being read. */
  readonly outdated: boolean;
}

export interface ItemReadsOptions {
  /** Of one call. */
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly keep: (read: ItemRead) => void;
}

interface Batch {
  readonly keys: Map<string, ItemKey>;
  readonly done: Promise<boolean>;
  readonly end: (wasRead: boolean) => void;
}

/** Eventually consistent reads. Each item is read once however many want it, and few calls are under way at a time. */
export class ItemReads {
  readonly #source: TableClient;
  readonly #outage: Outage;
  readonly #options: ItemReadsOptions;
  /** Waiting and under way, by the keys they read. */
  readonly #batches = new Map<string, Batch>();
  readonly #waiting: Batch[] = [];
  #calls = 0;

  constructor(source: TableClient, outage: Outage, options: ItemReadsOptions) {
    this.#source = source;
    this.#outage = outage;
    this.#options = options;
  }

  /** Whether all of them were read. */
  async read(keys: readonly ItemKey[]): Promise<boolean> {
    if (!this.#outage.admits) return false;
    const batches = new Set(keys.map((key) => this.#batches.get(keyText(key)) ?? this.#join(key)));
    const outcomes = await Promise.all([...batches].map(({ done }) => done));
    return !outcomes.includes(false);
  }

  /** What is being read of this item may be from before now: whoever comes next reads it again. */
  outdate(key: ItemKey): void {
    this.#batches.delete(keyText(key));
  }

  #join(key: ItemKey): Batch {
    const last = this.#waiting.at(-1);
    const batch = last !== undefined && last.keys.size < BATCH ? last : this.#open();
    batch.keys.set(keyText(key), key);
    this.#batches.set(keyText(key), batch);
    return batch;
  }

  #open(): Batch {
    const { promise: done, resolve: end } = Promise.withResolvers<boolean>();
    const batch = { keys: new Map<string, ItemKey>(), done, end };
    this.#waiting.push(batch);
    // The other keys of this question come first.
    queueMicrotask(() => this.#startNext());
    return batch;
  }

  #startNext(): void {
    if (this.#calls >= MOST_CALLS) return;
    const batch = this.#waiting.shift();
    if (batch !== undefined) void this.#call(batch);
  }

  async #call(batch: Batch): Promise<void> {
    this.#calls++;
    const { timeoutMs, now, keep } = this.#options;
    const readAt = now();
    const items = await this.#outage.read(() =>
      batchGet(this.#source, [...batch.keys.values()], false, AbortSignal.timeout(timeoutMs)),
    );
    for (const [key, item] of items ?? []) {
      keep({ key, item, readAt, outdated: this.#batches.get(key) !== batch });
    }
    for (const key of batch.keys.keys()) if (this.#batches.get(key) === batch) this.#batches.delete(key);
    this.#calls--;
    batch.end(items !== undefined);
    this.#startNext();
  }
}
