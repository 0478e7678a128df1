import type { HostClaim } from '../serviceentry/claim.ts';
import type { HostRecord } from './host.ts';
import type { TableEndpoint } from './mesh-table.ts';

/** A host as registered, with what its claims say of where its traffic goes. */
export interface RegisteredHost {
  readonly record: HostRecord;
  /** Of each claim of the record, in the order of the entry; weights of 0 included. */
  readonly endpoints: ReadonlyMap<HostClaim, readonly TableEndpoint[]>;
}

/** Everything that is registered, whoever may see it. */
export interface RegisteredMesh {
  readonly hosts: readonly RegisteredHost[];
  /** Prefixes of all pools, those that only drain too. */
  readonly pools: readonly { readonly ipv4: string; readonly ipv6: string }[];
}
