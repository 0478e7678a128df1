import type { HostClaim } from '../serviceentry/claim.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import type { Tombstone } from '../vip/plan.ts';
import type { HeldVip, PendingWrite } from './state.ts';

/** What a change demands of the (host, namespace) it touches. Strangers' namespaces are never part of it. */
export type HostCondition =
  /** Nothing at all has changed since it was read. */
  | { readonly kind: 'revision'; readonly revision: number }
  /** Only changes that kept the signature have happened since: enough for one that keeps it too. */
  | { readonly kind: 'signature'; readonly signature: string }
  /** It still points at the slot that is being reclaimed. */
  | { readonly kind: 'pointer'; readonly poolId: string; readonly slot: number };

export interface HostChange {
  readonly namespace: string;
  readonly condition: HostCondition;
  readonly claim?: { readonly entry: string; readonly value: HostClaim | undefined };
  readonly vip?: HeldVip | 'cleared';
  readonly signature?: string;
}

/** One thing done to one slot of a block. */
export type SlotChange =
  | { readonly kind: 'take'; readonly slot: number; readonly reclaims?: Tombstone }
  | { readonly kind: 'release'; readonly slot: number; readonly tombstone: Tombstone }
  | { readonly kind: 'revive'; readonly slot: number }
  | { readonly kind: 'pin'; readonly slot: number; readonly entry: string }
  | { readonly kind: 'unpin'; readonly slot: number; readonly entry: string };

/** A whole block inside a user-written CIDR. */
export interface WholeBlockChange {
  readonly kind: 'pin' | 'unpin';
  readonly entry: string;
}

export interface BlockAction {
  readonly on: 'block';
  readonly poolId: string;
  readonly number: number;
  readonly slots: readonly SlotChange[];
  readonly whole?: WholeBlockChange;
  /** Where pins are at stake, nothing in the block may have changed since it was read; else each slot has its own condition. */
  readonly revision?: number;
}

export type VipAction = { readonly on: 'vip'; readonly poolId: string; readonly slot: number } & (
  | {
      readonly kind: 'hold';
      readonly vip: HeldVip;
      readonly namespace: string;
      readonly host: string;
      readonly reclaims?: Tombstone;
    }
  | { readonly kind: 'release'; readonly until: number }
  | { readonly kind: 'revive' }
);

export interface HostAction {
  readonly on: 'host';
  readonly host: string;
  readonly changes: readonly HostChange[];
}

/** What the item of an entry has to be for an action on it; absent fields mean that there is no such thing. */
export interface EntryCondition {
  readonly resourceVersion?: string;
  readonly pendingWriteId?: string;
}

export type EntryAction = { readonly on: 'entry'; readonly namespace: string; readonly name: string } & (
  | { readonly kind: 'put'; readonly entry: ServiceEntry; readonly expect: EntryCondition }
  | { readonly kind: 'delete'; readonly expect: EntryCondition }
  /** Announces a write of several transactions. */
  | { readonly kind: 'begin'; readonly pending: PendingWrite; readonly expect: EntryCondition }
  /** The announced write is still this one. */
  | { readonly kind: 'check'; readonly writeId: string }
  /** Withdraws the announcement; the entry in force stays as it is. */
  | { readonly kind: 'withdraw'; readonly expect: EntryCondition }
);

/** One item of the transaction. No two actions of a change are on the same item. */
export type Action = EntryAction | HostAction | BlockAction | VipAction;
