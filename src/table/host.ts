import type { ClaimPort, HostClaim } from '../serviceentry/claim.ts';

/** The two addresses of one slot; never one without the other. */
export interface VipAddresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

/** One host in one namespace: what its entries claim, and the VIP they share. */
export interface NamespaceRecord {
  readonly namespace: string;
  readonly claims: readonly HostClaim[];
  /** Present while live; a tombstoned VIP is not an answer. */
  readonly vip?: VipAddresses;
}

/** A registered host, as committed, in every namespace that claims it. */
export interface HostRecord {
  readonly host: string;
  readonly namespaces: readonly NamespaceRecord[];
}

/** A host as one view sees it. A host that the view may not see has no such value. */
export interface HostAnswer {
  readonly host: string;
  readonly namespace: string;
  /** False: registered and visible, but without an answer for this view; so not ours to answer for. */
  readonly owned: boolean;
  /** Addresses of both families, in the order of the entries; empty: owned, but NODATA. */
  readonly addresses: readonly string[];
  /** Whether `addresses` are the VIP. */
  readonly vip: boolean;
  readonly ports: readonly ClaimPort[];
  /** Seconds, where an entry sets it. */
  readonly ttl?: number;
}
