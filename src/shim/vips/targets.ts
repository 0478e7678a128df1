import { isIP } from 'node:net';
import { ipText, isIpWithin, LOOPBACK, parsePrefixes, parseUnmappedIp, UNSPECIFIED } from '../../dns/ip-address.ts';
import { type Pools, poolPrefixes } from '../../table/pool-prefixes.ts';
import type { ListenerTarget } from './listeners.ts';

/** Where one connection goes. */
export interface Target {
  /** Canonical. */
  readonly address: string;
  readonly port: number;
}

export interface WeightedTarget extends Target {
  readonly weight: number;
}

/** What an endpoint name last resolved to; nothing where it never did. */
export type Addresses = (name: string) => readonly string[];

/** What a VIP must never lead to: this machine, its link with the metadata service, groups. */
const FORBIDDEN = [
  ...LOOPBACK,
  ...UNSPECIFIED,
  ...parsePrefixes('169.254.0.0/16', 'fe80::/10', '224.0.0.0/4', 'ff00::/8', '255.255.255.255/32'),
];

/** Whether traffic may be sent to an address; `pools`: a VIP that leads to a VIP would go round in circles. */
export const allowedAddress = (address: string, pools: Pools): boolean =>
  isIP(address) !== 0 && !isIpWithin(address, FORBIDDEN) && !isIpWithin(address, poolPrefixes(pools));

export interface FamilyTargets {
  readonly ipv4: readonly WeightedTarget[];
  readonly ipv6: readonly WeightedTarget[];
}

/**
 * The addresses behind a listener's targets, by family. A name shares its weight among its addresses of that family;
 * what is not resolved yet, or not allowed, is left out.
 */
export function resolvedTargets(
  targets: readonly ListenerTarget[],
  addressesOf: Addresses,
  pools: Pools,
): FamilyTargets {
  const byFamily = { ipv4: new Map<string, WeightedTarget>(), ipv6: new Map<string, WeightedTarget>() };
  for (const { address, port, weight } of targets) {
    const found = isIP(address) === 0 ? addressesOf(address) : [address];
    const allowed = found.flatMap((one) => (allowedAddress(one, pools) ? (parseUnmappedIp(one) ?? []) : []));
    for (const ip of allowed) {
      const byAddress = byFamily[ip.length === 4 ? 'ipv4' : 'ipv6'];
      const sharers = allowed.filter((other) => other.length === ip.length).length;
      const text = ipText(ip);
      const key = `${text} ${port}`;
      const before = byAddress.get(key)?.weight ?? 0;
      byAddress.set(key, { address: text, port, weight: before + weight / sharers });
    }
  }
  return { ipv4: [...byFamily.ipv4.values()], ipv6: [...byFamily.ipv6.values()] };
}
