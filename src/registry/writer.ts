import type { ServiceEntry } from '../serviceentry/service-entry.ts';

/** What must hold of the entry in force for a write to go ahead. */
export type Precondition =
  | { readonly kind: 'none' }
  /** There is none yet. */
  | { readonly kind: 'absent' }
  /** It is there, and, where given, unchanged since it was read. */
  | { readonly kind: 'present'; readonly resourceVersion?: string; readonly uid?: string }
  /** If it is there, and the uid, where given, is its own, it is unchanged since it was read, or is what is wanted. */
  | { readonly kind: 'unmodified'; readonly resourceVersion: string; readonly uid?: string };

export interface WriteOptions {
  readonly precondition?: Precondition;
  /** Judge the write against the registry, but commit nothing. */
  readonly dryRun?: boolean;
}

export type RejectionReason =
  | 'AlreadyExists'
  | 'NotFound'
  /** The entry changed since the `resourceVersion` that the caller holds. */
  | 'Conflict'
  /** Another entry or a VIP stands in the way; the message names it. */
  | 'Invalid'
  | 'VipPoolExhausted'
  | 'TooLarge';

export interface Rejection {
  readonly kind: 'rejected';
  readonly reason: RejectionReason;
  readonly message: string;
}

export type WriteOutcome =
  | {
      readonly kind: 'created' | 'configured' | 'unchanged' | 'deleted';
      /** As committed; for `deleted`, as it was. */
      readonly entry: ServiceEntry;
      /** Hosts whose answers may have changed. */
      readonly hosts: readonly string[];
      /** What its author should know of other entries, and nothing forbids. */
      readonly warnings?: readonly string[];
    }
  | Rejection;

/** Changes what is registered. An acknowledged write is committed; a rejected one has changed nothing. */
export interface RegistryWriter {
  /** @throws RegistryUnavailableError when the store cannot be reached, or stays contended, until `signal` aborts. */
  apply(entry: ServiceEntry, options: WriteOptions, signal: AbortSignal): Promise<WriteOutcome>;
  /** @throws RegistryUnavailableError as `apply` does. */
  remove(namespace: string, name: string, options: WriteOptions, signal: AbortSignal): Promise<WriteOutcome>;
}

/** Entries as they were applied, with their status. */
export interface EntryReader {
  get(namespace: string, name: string, signal: AbortSignal): Promise<ServiceEntry | undefined>;
  /** Sorted by namespace and name; of all namespaces when `namespace` is absent. */
  list(namespace: string | undefined, signal: AbortSignal): Promise<EntryList>;
  /** The same entries one after the other, so that who has seen enough may stop. */
  scan(range: EntryRange, signal: AbortSignal): AsyncIterable<ServiceEntry>;
  /** That of a list read now, at the cost of one small read. */
  resourceVersion(signal: AbortSignal): Promise<string>;
}

export interface EntryRange {
  /** All namespaces when absent. */
  readonly namespace?: string;
  /** Only what comes after this entry, which need not be there any more. */
  readonly after?: { readonly namespace: string; readonly name: string };
  /** Entries of one read, where fewer than a whole page will do. */
  readonly pageSize?: number;
}

export interface EntryList {
  readonly items: readonly ServiceEntry[];
  /** Moves with every commit to the registry. */
  readonly resourceVersion: string;
}
