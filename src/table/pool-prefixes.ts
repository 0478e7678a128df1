import { type IpPrefix, parsePrefixes } from '../dns/ip-address.ts';

/** CIDR. */
export type Pools = readonly { readonly ipv4: string; readonly ipv6: string }[];

export const poolPrefixes = (pools: Pools): readonly IpPrefix[] =>
  pools.flatMap(({ ipv4, ipv6 }) => parsePrefixes(ipv4, ipv6));
