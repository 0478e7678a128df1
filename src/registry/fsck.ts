import type { HostClaim } from '../serviceentry/claim.ts';
import type { Block } from '../vip/plan.ts';
import type { Pool } from '../vip/pool.ts';
import type { ItemKey } from './keys.ts';
import type { EntryState, HostState } from './state.ts';
import type { SuffixSet } from './suffixes.ts';

/**
 * `error`: an answer, a promise or the uniqueness of a VIP is at stake. `leftover`: something takes up space, or
 * costs a read, and changes no answer.
 */
export type Severity = 'error' | 'leftover';

/** What fsck can find; docs and tests go by these. */
export type FindingCode =
  | 'Undecodable'
  | 'UnknownItem'
  | 'PoolMissing'
  | 'PoolUnknown'
  | 'ClaimMissing'
  | 'ClaimDiffers'
  | 'ClaimWithoutEntry'
  | 'VipMissing'
  | 'VipUnwanted'
  | 'StatusDiffers'
  | 'PendingExpired'
  | 'PinMissing'
  | 'PinWithoutEntry'
  | 'PinnedVip'
  | 'TwoHolders'
  | 'PointerDiffers'
  | 'AddressesDiffer'
  | 'HolderUnaware'
  | 'TombstoneDiffers'
  | 'SlotWithoutVip'
  | 'SignatureDiffers'
  | 'NotFindable'
  | 'EmptyHost'
  | 'SuffixUnused'
  | 'ScopeUnused';

/** Who shall hold a slot: live, or as a tombstone until then. An empty host stands for one that nobody knows any more. */
export interface SlotHolder {
  readonly namespace: string;
  readonly host: string;
  /** Milliseconds since the epoch; absent while live. */
  readonly until?: number;
}

/** How a disagreement ends. The adapter makes a conditional write of it, on exactly what the check has seen. */
export type Mend =
  /** The entry in force is written again, which sets right all that belongs to it. */
  | { readonly kind: 'reapply'; readonly entry: string }
  | { readonly kind: 'dropClaim'; readonly host: string; readonly entry: string }
  | { readonly kind: 'sign'; readonly host: string; readonly namespace: string }
  | { readonly kind: 'retireHost'; readonly host: string }
  | { readonly kind: 'makeFindable'; readonly host: string }
  | {
      readonly kind: 'unpin';
      readonly poolId: string;
      readonly number: number;
      readonly entry: string;
      readonly slots: readonly number[];
      readonly whole: boolean;
    }
  | {
      /** Block, VIP item and the holder's pointer (unless it stays as it is) come to say the same. */
      readonly kind: 'settle';
      readonly pool: Pool;
      readonly slot: number;
      readonly holder: SlotHolder;
      readonly pointer: boolean;
    }
  | { readonly kind: 'clearPointer'; readonly pool: Pool; readonly slot: number; readonly holder: SlotHolder };

export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** The items that disagree. */
  readonly items: readonly ItemKey[];
  readonly message: string;
  /** Absent: a person has to decide. */
  readonly mend?: Mend;
}

/** The item of a VIP. */
export interface VipRecord extends SlotHolder {
  readonly ipv4: string;
  readonly ipv6: string;
  /** Before this holder, the latest first. */
  readonly previous: readonly Required<SlotHolder>[];
}

/** An entry with what it claims, or may be claiming while a write of it is under way. */
export interface ExaminedEntry extends EntryState {
  /** Of the entry in force, by host. */
  readonly claims: ReadonlyMap<string, HostClaim>;
  /** Of unfinished writes. */
  readonly announced: readonly HostClaim[];
}

/** Items as the checks see them. `undefined`: not read yet; the asking is noted, and the check is run again with it. */
export interface Examined {
  entry(entry: string): ExaminedEntry | undefined;
  host(host: string): HostState | undefined;
  block(poolId: string, number: number): Block | undefined;
  vip(poolId: string, slot: number): VipRecord | null | undefined;
  suffixes(): SuffixSet | undefined;
  scopes(name: string): ReadonlySet<string> | undefined;
}

export interface FsckContext {
  /** The active pool, then the draining ones. */
  readonly pools: readonly Pool[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly tombstoneMs: number;
}

/** One thing to check: run until it has asked for nothing new, and again on one committed state of what it asked for. */
export type Check = (items: Examined) => readonly Finding[];
