import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EntryReader } from '../../registry/writer.ts';
import type { ServiceEntry } from '../../serviceentry/service-entry.ts';

/** One entry that changed between two looks at the registry; a new one has no `before`, a deleted one no `after`. */
export interface EntryChange {
  readonly before?: ServiceEntry;
  readonly after?: ServiceEntry;
  /** `resourceVersion` of the registry when the change was seen. */
  readonly version: string;
}

export interface ChangeFeedOptions {
  readonly entries: EntryReader;
  /** Between two looks, in milliseconds. */
  readonly pollMs: number;
  /** Of one look, in milliseconds. */
  readonly timeoutMs: number;
}

/** Where a watcher stands in the feed. */
export interface Follower {
  /** What there was when it began, for who has not seen it. */
  readonly initial: readonly ServiceEntry[];
  /**
   * Changes since the last call; waits for some until `signal` aborts, then gives none. `expired`: it has fallen
   * behind what is kept. Rejects when the registry cannot be read.
   */
  next(signal: AbortSignal): Promise<readonly EntryChange[] | 'expired'>;
  /** As far as it has seen. */
  readonly version: string;
  close(): void;
}

/** Kept for watchers that come back, or are slow. */
const MAX_CHANGES = 1000;

const keyOf = ({ metadata }: ServiceEntry): string => `${metadata.namespace}/${metadata.name}`;

type State = ReadonlyMap<string, ServiceEntry>;

function* changesBetween(old: State, now: State, version: string): Generator<EntryChange> {
  for (const [key, after] of now) {
    const before = old.get(key);
    if (before?.metadata.resourceVersion === after.metadata.resourceVersion) continue;
    const isSame = before?.metadata.uid === after.metadata.uid;
    if (before && !isSame) yield { before, version };
    yield before && isSame ? { before, after, version } : { after, version };
  }
  for (const [key, before] of old) if (!now.has(key)) yield { before, version };
}

/**
 * What changes in the registry, for any number of watchers: while there are any, one small read in each interval, and
 * a list when that shows that something was committed. The last state is kept when they leave, so that one who comes
 * back is told what it has missed.
 */
export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #news = new EventEmitter().setMaxListeners(0);
  #state: State | undefined;
  #version = '';
  #changes: EntryChange[] = [];
  /** How many changes came before the first that is kept. */
  #forgotten = 0;
  /** `resourceVersion` that the kept changes follow on. */
  #since = '';
  #followers = 0;
  #polling = false;
  #looking: Promise<void> | undefined;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
  }

  get followers(): number {
    return this.#followers;
  }

  /**
   * From `resourceVersion` on, that of a list or of an entry of this feed; from the present state when it is absent.
   * `expired` when what has changed since is not known.
   */
  async follow(resourceVersion: string | undefined): Promise<Follower | 'expired'> {
    this.#followers++;
    try {
      await this.#look();
      // Another watcher's look may have begun before the list that this one goes on from.
      if (Number(resourceVersion ?? 0) > Number(this.#version)) await this.#look();
    } catch (error) {
      this.#followers--;
      throw error;
    }
    const from = resourceVersion === undefined ? this.#end : this.#positionOf(resourceVersion);
    if (from === undefined) {
      this.#followers--;
      return 'expired';
    }
    void this.#poll();
    return this.#follower(from, resourceVersion === undefined ? [...(this.#state?.values() ?? [])] : []);
  }

  get #end(): number {
    return this.#forgotten + this.#changes.length;
  }

  #follower(from: number, initial: readonly ServiceEntry[]): Follower {
    const feed = this;
    let at = from;
    let version = this.#version;
    let isOpen = true;
    return {
      initial,
      get version() {
        return version;
      },
      async next(signal) {
        while (at === feed.#end && !signal.aborted) await feed.#newsOr(signal);
        if (at < feed.#forgotten) return 'expired';
        const changes = feed.#changes.slice(at - feed.#forgotten);
        at = feed.#end;
        version = feed.#version;
        return changes;
      },
      close() {
        if (isOpen) feed.#followers--;
        isOpen = false;
      },
    };
  }

  async #newsOr(signal: AbortSignal): Promise<void> {
    try {
      const [error] = await once(this.#news, 'look', { signal });
      if (error) throw error;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** The place after everything that `resourceVersion` includes. */
  #positionOf(resourceVersion: string): number | undefined {
    const wanted = Number(resourceVersion);
    const ofEntry = this.#changes.findLastIndex(({ after }) => after?.metadata.resourceVersion === resourceVersion);
    if (ofEntry >= 0) return this.#forgotten + ofEntry + 1;
    if (wanted < Number(this.#since) || wanted > Number(this.#version)) return undefined;
    const later = this.#changes.findIndex(({ version }) => Number(version) > wanted);
    return later < 0 ? this.#end : this.#forgotten + later;
  }

  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    for (;;) {
      await sleep(this.#options.pollMs, undefined, { ref: false });
      if (this.#followers === 0) break;
      await this.#look().then(
        () => this.#news.emit('look'),
        (error: unknown) => this.#news.emit('look', error),
      );
    }
    this.#polling = false;
  }

  /** One look at a time; who comes during one waits for it. */
  #look(): Promise<void> {
    this.#looking ??= this.#readChanges().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #readChanges(): Promise<void> {
    const { entries, timeoutMs } = this.#options;
    const signal = AbortSignal.timeout(timeoutMs);
    if (this.#state && (await entries.resourceVersion(signal)) === this.#version) return;
    const { items, resourceVersion } = await entries.list(undefined, signal);
    const state = new Map(items.map((entry) => [keyOf(entry), entry]));
    if (this.#state) this.#keep([...changesBetween(this.#state, state, resourceVersion)]);
    else this.#since = resourceVersion;
    this.#state = state;
    this.#version = resourceVersion;
  }

  #keep(changes: readonly EntryChange[]): void {
    this.#changes.push(...changes);
    const surplus = this.#changes.length - MAX_CHANGES;
    if (surplus <= 0) return;
    this.#since = this.#changes[surplus - 1]?.version ?? this.#since;
    this.#changes = this.#changes.slice(surplus);
    this.#forgotten += surplus;
  }
}
