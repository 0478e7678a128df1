import { createHash } from 'node:crypto';
import type { ClaimPort, HostClaim } from '../serviceentry/claim.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import type { KnownBlocks } from '../vip/plan.ts';

/** A VIP as the item of its host remembers it: the addresses are literal, whatever becomes of the pool. */
export interface HeldVip {
  readonly poolId: string;
  readonly slot: number;
  readonly ipv4: string;
  readonly ipv6: string;
  /** End of the tombstone in milliseconds since the epoch; absent while live. */
  readonly until?: number;
}

/** What the entries of one namespace share of one host. */
export interface NamespaceState {
  /** Moves with every change below. */
  readonly revision: number;
  /** What those changes agree on (`signatureOf`): changes that leave it alone need not wait for each other. */
  readonly signature?: string;
  readonly vip?: HeldVip;
}

export interface HostState {
  /** By `entryKey`. */
  readonly claims: ReadonlyMap<string, HostClaim>;
  readonly namespaces: ReadonlyMap<string, NamespaceState>;
}

/** An entry in force. */
export interface StoredEntry {
  readonly entry: ServiceEntry;
  readonly resourceVersion: string;
  /** Of the write that committed it, so that a writer whose acknowledgement was lost knows its own. */
  readonly writeId: string;
}

/** A write that takes more than one transaction is announced first; whoever meets it after `until` takes it over. */
export interface PendingWrite {
  readonly writeId: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** The entry as it will be stored; absent when it is being deleted. */
  readonly entry?: ServiceEntry;
  /** What writes before it, which it took over, had announced: their hosts may still claim it. */
  readonly superseded: readonly ServiceEntry[];
}

/** The item of an entry: both absent when there is none. */
export interface EntryState {
  readonly stored?: StoredEntry;
  readonly pending?: PendingWrite;
}

export const NO_ENTRY: EntryState = {};

export const NO_HOST: HostState = { claims: new Map(), namespaces: new Map() };

export const NO_NAMESPACE: NamespaceState = { revision: 0 };

/** What has been read of the registry so far, decoded. `undefined` means not read. */
export interface RegistryView {
  entry(namespace: string, name: string): EntryState | undefined;
  host(host: string): HostState | undefined;
  blocks(poolId: string): KnownBlocks;
  /** Moves with every change of the block; 0 when there is none. */
  blockRevision(poolId: string, number: number): number;
  /** Whether what is known of the block is newer than what is known of the host. */
  isNewer(poolId: string, number: number, host: string): boolean;
  /** Who holds the slot's VIP, live or tombstoned; null when nobody ever did. */
  holder(poolId: string, slot: number): { readonly namespace: string; readonly host: string } | null | undefined;
}

export const entryKey = (namespace: string, name: string): string => `${namespace}/${name}`;

/** The entry that a claim comes from, as the keys of claims and pins name it. */
export const entryOfClaim = (claim: HostClaim): string => entryKey(claim.namespace, claim.entry);

const portText = (port: ClaimPort): string => `${port.number}/${port.protocol}/${port.targetPort ?? port.number}`;

/**
 * Digest of what the claims of one namespace on one host must agree on: the merged ports, whether addresses are
 * written, and the live VIP. Two changes that both keep it cannot contradict each other.
 */
export function signatureOf(claims: readonly HostClaim[], vip: HeldVip | undefined): string {
  const ports = [...new Set(claims.flatMap((claim) => claim.ports.map(portText)))].sort();
  const addressed = claims.some((claim) => claim.addresses.length + claim.cidrs.length > 0);
  const slot = vip && vip.until === undefined ? `${vip.poolId}#${vip.slot}` : 'none';
  const text = JSON.stringify([ports, addressed, slot]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
