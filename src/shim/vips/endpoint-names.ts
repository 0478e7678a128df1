import { isIPv4, isIPv6 } from 'node:net';

/** What a name resolved to. */
export interface LookedUp {
  /** Undefined: nobody answered for this family. */
  readonly ipv4: readonly string[] | undefined;
  readonly ipv6: readonly string[] | undefined;
  /** Seconds that they may be believed. */
  readonly ttl: number;
}

/** Resolves a name by its route or the host's own resolvers, never through meshdoh. */
export type LookUp = (name: string) => Promise<LookedUp>;

/** A mesh may have thousands of names, and each of its hosts looks after all of them. */
const LOOKUPS_AT_A_TIME = 8;
/** A TTL of 0 must not keep a resolver busy, nor one of a day hide that a server moved. */
const MIN_REFRESH_MS = 5_000;
const MAX_REFRESH_MS = 300_000;
/** Of names that nobody on this host asked for within the last hour. */
const IDLE_REFRESH_MS = 600_000;
const ASKED_MS = 3_600_000;
const RETRY_MS = 5_000;
const TICK_MS = 1_000;

interface Tracked {
  /** The last good ones. */
  addresses: readonly string[];
  ttlMs: number;
  triedAt: number;
  failed: boolean;
  askedAt: number;
  underWay: Promise<void> | undefined;
}

export interface EndpointNamesOptions {
  readonly lookUp: LookUp;
  /** Told of names that resolve to something else than before. */
  readonly changed: (names: readonly string[]) => void;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
}

/**
 * The addresses of endpoints that are names: looked up again when their TTL is over, and kept as they were while nobody
 * answers.
 */
export class EndpointNames {
  readonly #options: EndpointNamesOptions;
  readonly #tracked = new Map<string, Tracked>();
  #ticking: NodeJS.Timeout | undefined;
  #lookups = 0;

  constructor(options: EndpointNamesOptions) {
    this.#options = options;
  }

  /** Exactly these from now on; `known` are addresses of an earlier run. */
  track(names: ReadonlySet<string>, known: ReadonlyMap<string, readonly string[]>): void {
    for (const name of this.#tracked.keys()) if (!names.has(name)) this.#tracked.delete(name);
    for (const name of names) {
      if (this.#tracked.has(name)) continue;
      const never = Number.NEGATIVE_INFINITY;
      const addresses = known.get(name) ?? [];
      // Programs keep a VIP over a restart of the shim, and do not ask again.
      const askedAt = addresses.length > 0 ? this.#options.now() : never;
      this.#tracked.set(name, {
        addresses,
        ttlMs: 0,
        triedAt: never,
        failed: false,
        askedAt,
        underWay: undefined,
      });
    }
    this.#ticking ??= setInterval(() => this.#tick(), TICK_MS).unref();
    this.#tick();
  }

  stop(): void {
    clearInterval(this.#ticking);
    this.#ticking = undefined;
    this.#tracked.clear();
  }

  /** None where it never resolved. */
  addressesOf(name: string): readonly string[] {
    return this.#tracked.get(name)?.addresses ?? [];
  }

  /** All that have resolved, for the next run. */
  resolved(): ReadonlyMap<string, readonly string[]> {
    return new Map(
      [...this.#tracked].flatMap(([name, { addresses }]) => (addresses.length > 0 ? [[name, addresses]] : [])),
    );
  }

  /** Somebody is about to connect: those that never resolved are looked up at once, and waited for. */
  async asked(names: readonly string[]): Promise<void> {
    const now = this.#options.now();
    const missing = names.flatMap((name) => {
      const tracked = this.#tracked.get(name);
      if (tracked === undefined) return [];
      tracked.askedAt = now;
      return tracked.addresses.length === 0 && this.#isDue(tracked, now) ? [this.#refresh(name, tracked)] : [];
    });
    await Promise.all(missing);
  }

  #tick(): void {
    const now = this.#options.now();
    for (const [name, tracked] of this.#tracked) {
      if (this.#lookups >= LOOKUPS_AT_A_TIME) return;
      if (tracked.underWay === undefined && this.#isDue(tracked, now)) {
        void this.#refresh(name, tracked).then(() => this.#tick());
      }
    }
  }

  #isDue({ ttlMs, triedAt, failed, askedAt }: Tracked, now: number): boolean {
    if (failed) return now - triedAt >= RETRY_MS;
    const isAskedFor = now - askedAt < ASKED_MS;
    const interval = isAskedFor ? Math.min(Math.max(ttlMs, MIN_REFRESH_MS), MAX_REFRESH_MS) : IDLE_REFRESH_MS;
    return now - triedAt >= interval;
  }

  #refresh(name: string, tracked: Tracked): Promise<void> {
    tracked.underWay ??= this.#lookUp(name, tracked).finally(() => {
      tracked.underWay = undefined;
    });
    return tracked.underWay;
  }

  async #lookUp(name: string, tracked: Tracked): Promise<void> {
    this.#lookups++;
    const { ipv4, ipv6, ttl } = await this.#options.lookUp(name);
    this.#lookups--;
    tracked.triedAt = this.#options.now();
    tracked.ttlMs = ttl * 1000;
    const addresses = [
      ...(ipv4 ?? tracked.addresses.filter(isIPv4)),
      ...(ipv6 ?? tracked.addresses.filter(isIPv6)),
    ].sort();
    // A name that has no address of a sudden is more often a mistake than meant: what was good goes on serving.
    tracked.failed = ipv4 === undefined || ipv6 === undefined || addresses.length === 0;
    if (addresses.length === 0 || addresses.join() === tracked.addresses.join()) return;
    tracked.addresses = addresses;
    if (this.#tracked.get(name) === tracked) this.#options.changed([name]);
  }
}
