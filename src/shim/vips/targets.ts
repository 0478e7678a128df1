import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
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

/** Ranges (as ipaddr.js names them) that a VIP must never lead to: this machine, its metadata service, groups. */
const FORBIDDEN: ReadonlySet<string> = new Set(['loopback', 'linkLocal', 'multicast', 'unspecified', 'broadcast']);

type Pools = readonly { readonly ipv4: string; readonly ipv6: string }[];

/** Whether traffic may be sent to an address; `pools`: a VIP that leads to a VIP would go round in circles. */
export function allowedAddress(address: string, pools: Pools): boolean {
  if (isIP(address) === 0) return false;
  const ip = ipaddr.process(address);
  if (FORBIDDEN.has(ip.range())) return false;
  const family = ip.kind();
  return !pools.some((pool) => {
    const [base, bits] = ipaddr.parseCIDR(pool[family]);
    return ip.match(base, bits);
  });
}

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
    const allowed = found.filter((one) => allowedAddress(one, pools)).map((one) => ipaddr.process(one));
    for (const ip of allowed) {
      const family = ip.kind();
      const byAddress = byFamily[family];
      const sharers = allowed.filter((other) => other.kind() === family).length;
      const text = ip.toString();
      const key = `${text} ${port}`;
      const before = byAddress.get(key)?.weight ?? 0;
      byAddress.set(key, { address: text, port, weight: before + weight / sharers });
    }
  }
  return { ipv4: [...byFamily.ipv4.values()], ipv6: [...byFamily.ipv6.values()] };
}
