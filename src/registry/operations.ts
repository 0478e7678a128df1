import type { PoolFigures } from '../vip/plan.ts';

/** One pool of the table, as a metric and `meshdoh vips` tell it. */
export interface PoolReport extends PoolFigures {
  readonly id: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** Allocations come from the active one. */
  readonly state: 'active' | 'draining';
  /** When the next released VIP becomes free, in milliseconds since the epoch. */
  readonly nextFreeAt?: number;
}

export interface FormerHolder {
  readonly namespace: string;
  readonly host: string;
  /** End of its tombstone, in milliseconds since the epoch. */
  readonly until: number;
}

/** What the table says of one VIP. */
export interface VipReport {
  readonly ipv4: string;
  readonly ipv6: string;
  readonly pool: string;
  /**
   * `released`: kept for its last holder until then. `expired`: free for anybody, and its last holder still gets it
   * back first. `reserved`: never given to anybody.
   */
  readonly state: 'live' | 'released' | 'expired' | 'free' | 'reserved';
  readonly holder?: { readonly namespace: string; readonly host: string };
  /** Of a tombstone, in milliseconds since the epoch. */
  readonly until?: number;
  /** Entries (`namespace/name`) that write the address themselves. */
  readonly pinnedBy: readonly string[];
  /** Before this holder, the latest first. */
  readonly previous: readonly FormerHolder[];
}

/** The pools from an operator's side, read consistently. */
export interface PoolReader {
  /**
   * All pools with their figures, from their blocks: one item for 256 addresses, at most 4,096 of them in a pool. A
   * block is some 1 KB when it is full, and 20 KB when all of it is released and kept, so the default pool costs 1 read
   * unit while it is empty, 64 when it is full and 1,200 at the very most, in one to five pages. Not for every
   * scrape: callers that ask by the clock keep the answer for 30 s or more.
   */
  pools(signal: AbortSignal): Promise<readonly PoolReport[]>;
  /** Undefined when the address (of either family) is in no pool. */
  vip(address: string, signal: AbortSignal): Promise<VipReport | undefined>;
  /** The VIP that a host has, or has had last; undefined when it has none. */
  vipOfHost(namespace: string, host: string, signal: AbortSignal): Promise<VipReport | undefined>;
}
