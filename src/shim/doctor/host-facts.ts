import type { OriginalResolvers } from '../capture/original-resolvers.ts';
import type { ShimSettings } from '../settings.ts';
import type { RunningVips } from './running-vips.ts';

/** Everything that the checks look at, collected first, so that each check is a plain function. */
export interface HostFacts {
  readonly settings: Pick<
    ShimSettings,
    'capture' | 'listen' | 'bridges' | 'routes' | 'fallback' | 'vips' | 'endpoints' | 'bootstrap'
  >;
  /** A shim answers at every loopback address of `listen`, over UDP and TCP. */
  readonly answers: boolean;
  /** Whether this host's programs reach it: what the operating system's resolver says of a name only it knows. */
  readonly captured: boolean;
  /** Nameservers of `/etc/resolv.conf`. */
  readonly nameservers: readonly string[];
  readonly original: OriginalResolvers;
  /** Of the original resolvers, those that pass their questions on to us. */
  readonly looping: readonly string[];
  /** Undefined: it does not run. */
  readonly resolved: ResolvedFacts | undefined;
  /** `hosts:` of `/etc/nsswitch.conf` has `resolve`. */
  readonly nssResolve: boolean;
  readonly nft: boolean;
  /** Undefined: no shim says so. */
  readonly vips: RunningVips | undefined;
  /** Interfaces of Docker that exist here. */
  readonly dockerBridges: readonly string[];
  /** Destinations of routes, CIDR, with their device; the default route and those of loopback left out. */
  readonly routes: readonly { readonly destination: string; readonly device: string }[];
  readonly mesh: {
    readonly hosts: readonly string[];
    readonly zones: readonly string[];
    /** CIDR. */
    readonly pools: readonly string[];
  };
  readonly endpoints: readonly EndpointFacts[];
  readonly clock: {
    /** How far this host is ahead of the endpoint; undefined where nobody answered. */
    readonly skewMs: number | undefined;
    /** What the host itself says; undefined where it says nothing. */
    readonly synchronised: boolean | undefined;
  };
}

export interface ResolvedFacts {
  /** `yes`, `no` or `allow-downgrade`, of all. */
  readonly dnssec: string;
  /** Servers that it was told for everything. */
  readonly globalServers: readonly string[];
  readonly links: readonly { readonly name: string; readonly domains: readonly string[] }[];
  /** Our drop-in is there. */
  readonly hasDropIn: boolean;
}

export interface EndpointFacts {
  readonly url: string;
  readonly outcome:
    | { readonly kind: 'answered' }
    | { readonly kind: 'status'; readonly status: number }
    /** No answer to DNS in the body. */
    | { readonly kind: 'notDns' }
    | { readonly kind: 'unreachable'; readonly code: string; readonly message: string };
}
