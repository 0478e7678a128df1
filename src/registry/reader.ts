import type { HostAnswer } from '../table/host.ts';
import type { View } from '../table/view.ts';

/** The names one question is about: they are read together, in one round trip. */
export interface FindRequest {
  /** Hosts that could match, wildcard hosts included, in any order. */
  readonly hosts: readonly string[];
  /** Also tell whether any visible host lies below this name. */
  readonly below?: string;
}

export type Found =
  | {
      readonly state: 'known';
      /** The registry could not be read in time: this is its last known state. */
      readonly stale: boolean;
      /** Only hosts visible to the view; absent means it does not exist for it. */
      readonly hosts: ReadonlyMap<string, HostAnswer>;
      readonly existsBelow: boolean;
    }
  | { readonly state: 'unavailable' };

export type Holder =
  | { readonly state: 'held'; readonly host: string; readonly stale: boolean }
  | { readonly state: 'free'; readonly stale: boolean }
  | { readonly state: 'unavailable' };

/** The CIDRs that VIPs come from, or came from: their reverse zones are the registry's. */
export type VipPrefixes =
  | { readonly state: 'known'; readonly prefixes: readonly string[] }
  | { readonly state: 'unavailable' };

/**
 * What is registered, as a view sees it. Never rejects for an unreachable store: that is the value
 * `unavailable`. Answered by DynamoDB at the server and by the table in the shim.
 */
export interface RegistryReader {
  find(request: FindRequest, view: View, signal: AbortSignal): Promise<Found>;
  vipPrefixes(signal: AbortSignal): Promise<VipPrefixes>;
  /** The host whose live VIP is `address` (canonical text), if the view may see it. */
  holderOf(address: string, view: View, signal: AbortSignal): Promise<Holder>;
}
