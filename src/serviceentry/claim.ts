/** How Istio resolves the endpoints of an entry; an absent `spec.resolution` means NONE. */
export type Resolution = 'NONE' | 'STATIC' | 'DNS' | 'DNS_ROUND_ROBIN' | 'DYNAMIC_DNS';

export interface ClaimPort {
  readonly name: string;
  readonly number: number;
  /** Upper case; empty when the entry leaves it to sniffing. */
  readonly protocol: string;
  readonly targetPort?: number;
}

/**
 * What one ServiceEntry says of one of its hosts, reduced to what an answer needs.
 * The registry stores claims on the item of their host; a view's table is built from them.
 */
export interface HostClaim {
  /** Canonical name (lower case, no trailing dot); a wildcard host keeps its `*.`. */
  readonly host: string;
  readonly namespace: string;
  /** `metadata.name` of the entry. */
  readonly entry: string;
  /** As written; empty means exported to all. */
  readonly exportTo: readonly string[];
  readonly resolution: Resolution;
  /** Plain IP addresses to answer with; `/32` and `/128` count as plain. */
  readonly addresses: readonly string[];
  /** CIDRs of `spec.addresses` wider than one address: never an answer, but they rule out a VIP. */
  readonly cidrs: readonly string[];
  /** IPs of STATIC endpoints with a weight other than 0: the answer where no VIP is carried. */
  readonly endpoints: readonly string[];
  readonly ports: readonly ClaimPort[];
  /** Whether automatic allocation applies (product rules: resolution, no addresses, label, wildcard). */
  readonly wantsVip: boolean;
  /** Seconds, from the annotation `meshdoh.dev/ttl`. */
  readonly ttl?: number;
  /** RFC 3339; between namespaces the oldest entry wins. */
  readonly createdAt: string;
}
