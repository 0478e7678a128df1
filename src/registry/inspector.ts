import type { HostRecord } from '../table/host.ts';

export interface InspectedHost {
  /** As committed, whoever may see it; absent when nobody has registered it. */
  readonly record?: HostRecord;
  /** Whether the suffix set lets readers look for it at all, for a view of the namespace. */
  readonly mayBeRegistered: boolean;
}

/** Hosts from an administrator's side, read consistently. @throws RegistryUnavailableError when the store is out of reach. */
export interface RegistryInspector {
  inspect(
    hosts: readonly string[],
    namespace: string,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, InspectedHost>>;
}
