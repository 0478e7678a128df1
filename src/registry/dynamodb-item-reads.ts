import type { Epoch } from './dynamodb-commit-watch.ts';
import type { Item } from './dynamodb-items.ts';
import { batchGet, type TableClient } from './dynamodb-snapshot.ts';
import { type ItemKey, keyText } from './keys.ts';
import type { Outage } from './outage.ts';

/** Keys of one BatchGetItem. */
const BATCH = 100;
/** More than a process can use of a table that answers; what comes meanwhile shares the next ones. */
const MOST_CALLS = 16;
/** Of batches. At 100 ms a call the last of them is read when a query's part of its time is over. */
const MOST_WAITING = 200;

/** What was known when a read began. */
export interface ReadStart {
  readonly readAt: number;
  /** In which nothing was committed so far; undefined where that is not known. */
  readonly epoch: Epoch | undefined;
}

/** An item as it was read; null when it was not there. */
export interface ItemRead extends ReadStart {
  readonly key: string;
  readonly item: Item | null;
  /** It may have changed since: somebody said so while it was being read. */
  readonly outdated: boolean;
}

export interface ItemReadsOptions {
  /** Of one call. */
  readonly timeoutMs: number;
  readonly start: () => ReadStart;
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

  /** Whether all of them were read; false at once where they would not be in time. */
  async read(keys: readonly ItemKey[]): Promise<boolean> {
    if (keys.length === 0) return true;
    if (!this.#outage.admits) return false;
    const batches = new Set<Batch>();
    for (const key of keys) {
      const batch = this.#batches.get(keyText(key)) ?? this.#join(key);
      if (!batch) return false;
      batches.add(batch);
    }
    const outcomes = await Promise.all([...batches].map(({ done }) => done));
    return !outcomes.includes(false);
  }

  /** What is being read of this item may be from before now: whoever comes next reads it again. */
  outdate(key: ItemKey): void {
    this.#batches.delete(keyText(key));
  }

  /** Undefined when so much is waiting that this would be read too late for whoever asks. */
  #join(key: ItemKey): Batch | undefined {
    const last = this.#waiting.at(-1);
    const hasRoom = last !== undefined && last.keys.size < BATCH;
    if (!hasRoom && this.#waiting.length >= MOST_WAITING) return undefined;
    const batch = hasRoom ? last : this.#open();
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
    const { timeoutMs, start, keep } = this.#options;
    const started = start();
    const items = await this.#outage.read(() =>
      batchGet(this.#source, [...batch.keys.values()], false, AbortSignal.timeout(timeoutMs)),
    );
    for (const [key, item] of items ?? []) {
      keep({ ...started, key, item, outdated: this.#batches.get(key) !== batch });
    }
    for (const key of batch.keys.keys()) if (this.#batches.get(key) === batch) this.#batches.delete(key);
    this.#calls--;
    batch.end(items !== undefined);
    this.#startNext();
  }
}
