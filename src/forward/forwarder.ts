import type { DnsQuery } from '../dns/query.ts';
import type { RecordAt } from '../dns/walk.ts';

export type Forwarded =
  | {
      readonly ok: true;
      /** The upstream's message, its octets kept; id and case of the name may be another query's that asked the same. */
      readonly wire: Buffer;
      /** The message's, where they are known already. */
      readonly records?: readonly RecordAt[];
      /** Origin of the upstream that answered, for metrics and traces. */
      readonly upstream: string;
      /** Seconds the answer had already spent in HTTP caches (RFC 8484 section 5.1); TTLs still include them. */
      readonly age: number;
      /** The most that its TTLs may say, in seconds. */
      readonly maxTtl?: number;
    }
  | {
      readonly ok: false;
      /** What each attempt met, in order. */
      readonly failures: readonly UpstreamFailure[];
    };

export interface UpstreamFailure {
  readonly upstream: string;
  readonly kind: 'timeout' | 'transport' | 'status' | 'media-type' | 'message' | 'rcode';
  readonly message: string;
  /** With kind `status`: of HTTP. */
  readonly status?: number;
  /** With kind `rcode`: the upstream's own SERVFAIL or REFUSED, as above. */
  readonly wire?: Buffer;
}

/** Sends a query to the upstreams that are responsible for its name. Expected failures are values. */
export interface Forwarder {
  forward(query: DnsQuery, signal: AbortSignal): Promise<Forwarded>;
  /** Which upstreams would be asked for `name`, in order. */
  upstreamsFor(name: string): readonly string[];
  /** Whether a suffix rule (not the default) names this zone or one above it. */
  hasRouteFor(name: string): boolean;
  close(): Promise<void>;
}
