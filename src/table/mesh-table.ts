import type { ClaimPort, Resolution } from '../serviceentry/claim.ts';
import type { VipAddresses } from './host.ts';
import type { View } from './view.ts';

/** Moves when a reader of an older form would misread a newer one. */
export const TABLE_SCHEMA_VERSION = 1;

/** Where connections to a VIP go. */
export interface TableEndpoint {
  /** An IP address, or a name to resolve on the client's side, never through meshdoh. */
  readonly address: string;
  /** Its own target port by the port number of the host, where it is not the one that the host's port says. */
  readonly ports?: Readonly<Record<number, number>>;
  /** The port numbers that it serves, where entries with different ports share the host; all when absent. */
  readonly serves?: readonly number[];
  /** Share of new connections; 1 when absent. One of 0 is here only where a host has no other: nothing is to be reached. */
  readonly weight?: number;
}

/** A host as one view sees it, with what it takes to carry its traffic. */
export interface TableHost {
  /** Canonical; a wildcard host keeps its `*.`. */
  readonly host: string;
  readonly namespace: string;
  /** False: registered and visible, but without an answer for this view. */
  readonly owned: boolean;
  /** What A and AAAA answer; empty and owned: NODATA. */
  readonly addresses: readonly string[];
  /** The live VIP, both families, whether the view answers it or not; absent where there is none. */
  readonly vip?: VipAddresses;
  readonly resolution: Resolution;
  /** Seconds, as answered. */
  readonly ttl: number;
  /** The listeners of the VIP: protocol, port and, where it differs, the target port. */
  readonly ports: readonly ClaimPort[];
  /**
   * Where connections to the VIP go; none where there is no VIP. With resolution DNS or DNS_ROUND_ROBIN and none here,
   * they go to the host's own name, resolved on the client's side.
   */
  readonly endpoints: readonly TableEndpoint[];
}

/** Everything one view may see, as one value: `GET /v1/table`. */
export interface MeshTable {
  readonly schemaVersion: typeof TABLE_SCHEMA_VERSION;
  /** The (narrowed) view that it was made for. */
  readonly view: View;
  /** Seconds that an absence may be believed. */
  readonly negativeTtl: number;
  readonly privateZones: readonly string[];
  /** Prefixes of all pools, those that only drain too. */
  readonly pools: readonly { readonly ipv4: string; readonly ipv6: string }[];
  /** Sorted by host. */
  readonly hosts: readonly TableHost[];
}
