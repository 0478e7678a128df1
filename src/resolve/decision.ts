import type { DomainName } from '../dns/name.ts';
import type { ResourceRecord } from '../dns/record.ts';

/** Which part of the resolution order decided. */
export type DecidedBy = 'query' | 'special' | 'registry' | 'privateZone' | 'view';

/** That a special name, or one in a reverse zone of VIPs, has nothing. */
export const specialDenial = (kind: 'noData' | 'nxDomain', zone: DomainName, stale = false): Decision => ({
  kind,
  by: 'special',
  zone,
  stale,
});

/** What to answer, before it is a message. "Not ours" (`forward`) and "ours, but empty" (`noData`) differ. */
export type Decision =
  | {
      readonly kind: 'answer';
      readonly by: DecidedBy;
      readonly records: readonly ResourceRecord[];
      readonly stale: boolean;
    }
  | {
      readonly kind: 'noData' | 'nxDomain';
      readonly by: DecidedBy;
      /** Where the SOA stands. */
      readonly zone: DomainName;
      readonly stale: boolean;
      /** The qname is another name for the one that has no data (RFC 2308 section 2.2). */
      readonly alias?: ResourceRecord;
    }
  | { readonly kind: 'forward' }
  /** The view does not forward; final (EDE 18). */
  | { readonly kind: 'refused' }
  /** The registry could not be read, so nobody knows whether the name is private: it must not be forwarded. */
  | { readonly kind: 'unavailable' }
  /** The query itself cannot be answered. */
  | { readonly kind: 'error'; readonly rcode: number };
