import { LRUCache } from 'lru-cache';

export type Looked<T> =
  | { readonly state: 'known'; readonly value: T }
  | { readonly state: 'absent' }
  | { readonly state: 'unavailable' };

export interface LookupOptions {
  /** How old what was read may be and still count as current: a credential that is revoked lives no longer. */
  readonly registryCacheMs: number;
  /** How old it may be and still let its owner in when the store cannot be read. */
  readonly staleMaxMs: number;
  /** Of a query's deadline, the part that a read may take. */
  readonly budgetMs?: number;
  readonly now?: () => number;
  /** Told of every read that failed, whoever is let in then. */
  readonly readFailed?: () => void;
}

interface Cached<T> {
  readonly looked: Exclude<Looked<T>, { state: 'unavailable' }>;
  readonly readAt: number;
}

/** Keys are chosen by whoever asks: those of nobody must not drive out somebody's. */
const MOST_KNOWN = 10_000;
const MOST_ABSENT = 10_000;
const MOST_READS = 500;
const BUDGET_MS = 600;
/** After a failed read those who are known are not kept waiting for another. */
const SPARE_MS = 1_000;

const UNAVAILABLE: Looked<never> = { state: 'unavailable' };

/** Credentials read from the store, absent ones too, each once for all who ask at the same time. */
export class CredentialLookup<T extends object> {
  readonly #read: (key: string, signal: AbortSignal) => Promise<T | undefined>;
  readonly #options: Required<LookupOptions>;
  readonly #known = new LRUCache<string, Cached<T>>({ max: MOST_KNOWN });
  readonly #absent = new LRUCache<string, Cached<T>>({ max: MOST_ABSENT });
  readonly #reading = new Map<string, Promise<Looked<T>>>();
  #failedAt = Number.NEGATIVE_INFINITY;
  /** Changes made here so far: what was read before one may be what it has changed. */
  #changes = 0;

  /** `read` rejects when the store cannot be read. */
  constructor(read: (key: string, signal: AbortSignal) => Promise<T | undefined>, options: LookupOptions) {
    this.#read = read;
    this.#options = { budgetMs: BUDGET_MS, now: Date.now, readFailed: () => undefined, ...options };
  }

  find(key: string): Looked<T> | Promise<Looked<T>> {
    const { now, registryCacheMs } = this.#options;
    const cached = this.#known.get(key) ?? this.#absent.get(key);
    if (cached && cached.readAt > now() - registryCacheMs) return cached.looked;
    const known = this.#lastKnown(key);
    if (known && this.#failedAt > now() - SPARE_MS) return known;
    return this.#reading.get(key) ?? this.#refresh(key);
  }

  /** What was read of it is no longer current: this process has just changed it. */
  forget(key: string): void {
    this.#changes++;
    this.#known.delete(key);
    this.#absent.delete(key);
    this.#reading.delete(key);
  }

  #lastKnown(key: string): Looked<T> | undefined {
    const cached = this.#known.peek(key);
    return cached && cached.readAt > this.#options.now() - this.#options.staleMaxMs ? cached.looked : undefined;
  }

  #refresh(key: string): Looked<T> | Promise<Looked<T>> {
    if (this.#reading.size >= MOST_READS) return this.#lastKnown(key) ?? UNAVAILABLE;
    const reading = this.#readNow(key).finally(() => {
      if (this.#reading.get(key) === reading) this.#reading.delete(key);
    });
    this.#reading.set(key, reading);
    return reading;
  }

  async #readNow(key: string): Promise<Looked<T>> {
    const { now, budgetMs } = this.#options;
    const readAt = now();
    const changes = this.#changes;
    try {
      const value = await this.#read(key, AbortSignal.timeout(budgetMs));
      const looked: Cached<T>['looked'] = value ? { state: 'known', value } : { state: 'absent' };
      if (changes === this.#changes) this.#keep(key, { looked, readAt });
      return looked;
    } catch {
      this.#failedAt = now();
      this.#options.readFailed();
      return this.#lastKnown(key) ?? UNAVAILABLE;
    }
  }

  #keep(key: string, cached: Cached<T>): void {
    const isKnown = cached.looked.state === 'known';
    (isKnown ? this.#absent : this.#known).delete(key);
    (isKnown ? this.#known : this.#absent).set(key, cached);
  }
}
