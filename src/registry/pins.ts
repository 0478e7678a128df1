import ipaddr from 'ipaddr.js';
import type { HostClaim } from '../serviceentry/claim.ts';
import { BLOCK_SLOTS, blockCount, type Pool, slotOfAddress } from '../vip/pool.ts';

/** The part of a pool that an entry's own addresses lie in: automatic allocation keeps off it. */
export interface Pins {
  readonly slots: ReadonlySet<number>;
  readonly blocks: ReadonlySet<number>;
}

/** A CIDR over more blocks than this would be a transaction of its own size: it is refused. */
export const MOST_PINNED_BLOCKS = 64;

const NO_RANGE: readonly [number, number] = [0, -1];

function ipv4Range(pool: Pool, base: ipaddr.IPv4, bits: number): readonly [number, number] {
  const first = Buffer.from(base.toByteArray()).readUInt32BE() - pool.ipv4Base;
  return [first, first + 2 ** (32 - bits) - 1];
}

function ipv6Range(pool: Pool, base: ipaddr.IPv6, bits: number): readonly [number, number] {
  const first = BigInt(`0x${Buffer.from(base.toByteArray()).toString('hex')}`) - pool.ipv6Base;
  const last = first + 2n ** BigInt(128 - bits) - 1n;
  if (last < 0n || first >= BigInt(pool.size)) return NO_RANGE;
  return [first < 0n ? 0 : Number(first), last >= BigInt(pool.size) ? pool.size - 1 : Number(last)];
}

function slotRange(pool: Pool, cidr: string): readonly [number, number] {
  const [address, bits] = ipaddr.parseCIDR(cidr);
  const [first, last] =
    address.kind() === 'ipv4'
      ? ipv4Range(pool, ipaddr.IPv4.networkAddressFromCIDR(`${address}/${bits}`), bits)
      : ipv6Range(pool, ipaddr.IPv6.networkAddressFromCIDR(`${address}/${bits}`), bits);
  return [Math.max(first, 0), Math.min(last, pool.size - 1)];
}

function pinRange(pool: Pool, first: number, last: number, slots: Set<number>, blocks: Set<number>): void {
  for (
    let number = Math.floor(first / BLOCK_SLOTS);
    number * BLOCK_SLOTS <= last && number < blockCount(pool);
    number++
  ) {
    const start = number * BLOCK_SLOTS;
    const end = Math.min(start + BLOCK_SLOTS, pool.size) - 1;
    if (first <= start && last >= end) blocks.add(number);
    else for (let slot = Math.max(first, start); slot <= Math.min(last, end); slot++) slots.add(slot);
  }
}

/** What the addresses of these claims (of one entry) pin in the pool. */
export function pinsOf(pool: Pool, claims: readonly HostClaim[]): Pins {
  const slots = new Set<number>();
  const blocks = new Set<number>();
  for (const address of new Set(claims.flatMap((claim) => claim.addresses))) {
    const slot = slotOfAddress(pool, address);
    if (slot !== undefined) slots.add(slot);
  }
  for (const cidr of new Set(claims.flatMap((claim) => claim.cidrs))) {
    const [first, last] = slotRange(pool, cidr);
    pinRange(pool, first, last, slots, blocks);
  }
  return { slots, blocks };
}
