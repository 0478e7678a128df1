import { createHash } from 'node:crypto';
import ipaddr from 'ipaddr.js';

/** Slots are numbered from the start of the pool; 256 of them share one block item. */
export const BLOCK_SLOTS = 256;

/** Wider pools would make "read every block" more than a handful of round trips. */
const WIDEST_IPV4_BITS = 12;
const NARROWEST_IPV4_BITS = 29;

/**
 * A range of VIPs: slot n is the n-th address of both prefixes, so that one condition guards both families.
 * The id names the two bases, because slot numbers mean the same in every pool that shares them.
 */
export interface Pool {
  readonly id: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** Slots, usable or not: the number of IPv4 addresses. */
  readonly size: number;
  readonly ipv4Base: number;
  readonly ipv6Base: bigint;
  readonly ipv6Bits: number;
}

/** The two prefixes of a setting do not make a pool; the message says which and why. */
export class PoolPrefixError extends Error {
  override readonly name = 'PoolPrefixError';
}

const ipv4Number = (address: ipaddr.IPv4): number => Buffer.from(address.toByteArray()).readUInt32BE();

const ipv6Number = (address: ipaddr.IPv6): bigint => BigInt(`0x${Buffer.from(address.toByteArray()).toString('hex')}`);

function parsePrefix<K extends 'ipv4' | 'ipv6'>(kind: K, cidr: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  let parsed: [ipaddr.IPv4 | ipaddr.IPv6, number];
  try {
    parsed = ipaddr.parseCIDR(cidr);
  } catch {
    throw new PoolPrefixError(
      `"${cidr}" is not a prefix such as ${kind === 'ipv4' ? '240.240.0.0/16' : '2001:2::/48'}`,
    );
  }
  if (parsed[0].kind() !== kind)
    throw new PoolPrefixError(`"${cidr}" is not an ${kind === 'ipv4' ? 'IPv4' : 'IPv6'} prefix`);
  return parsed;
}

/** @throws PoolPrefixError when a prefix is malformed, has host bits, or the two cannot be paired slot by slot. */
export function createPool(prefixes: { readonly ipv4: string; readonly ipv6: string }): Pool {
  const [ipv4, ipv4Bits] = parsePrefix('ipv4', prefixes.ipv4);
  const [ipv6, ipv6Bits] = parsePrefix('ipv6', prefixes.ipv6);
  if (ipv4Bits < WIDEST_IPV4_BITS || ipv4Bits > NARROWEST_IPV4_BITS) {
    throw new PoolPrefixError(`"${prefixes.ipv4}" must be between /${WIDEST_IPV4_BITS} and /${NARROWEST_IPV4_BITS}`);
  }
  if (128 - ipv6Bits < 32 - ipv4Bits) {
    throw new PoolPrefixError(`"${prefixes.ipv6}" holds fewer addresses than "${prefixes.ipv4}"`);
  }
  const size = 2 ** (32 - ipv4Bits);
  const ipv4Base = ipv4Number(ipv4 as ipaddr.IPv4);
  const ipv6Base = ipv6Number(ipv6 as ipaddr.IPv6);
  if (ipv4Base % size !== 0) throw new PoolPrefixError(`"${prefixes.ipv4}" has bits set below its prefix length`);
  if (ipv6Base % 2n ** BigInt(128 - ipv6Bits) !== 0n) {
    throw new PoolPrefixError(`"${prefixes.ipv6}" has bits set below its prefix length`);
  }
  const id = `${ipv4.toString()}+${ipv6.toString()}`;
  return { id, ipv4: `${ipv4}/${ipv4Bits}`, ipv6: `${ipv6}/${ipv6Bits}`, size, ipv4Base, ipv6Base, ipv6Bits };
}

/** Canonical texts of the two addresses of a slot. */
export function addressesOfSlot(pool: Pool, slot: number): { readonly ipv4: string; readonly ipv6: string } {
  const ipv4 = Buffer.alloc(4);
  ipv4.writeUInt32BE(pool.ipv4Base + slot);
  const ipv6 = Buffer.from((pool.ipv6Base + BigInt(slot)).toString(16).padStart(32, '0'), 'hex');
  return { ipv4: ipaddr.fromByteArray([...ipv4]).toString(), ipv6: ipaddr.fromByteArray([...ipv6]).toString() };
}

/** The slot that an address of either family belongs to, or undefined when it lies outside the pool. */
export function slotOfAddress(pool: Pool, address: string): number | undefined {
  if (!ipaddr.isValid(address)) return undefined;
  const parsed = ipaddr.process(address);
  const offset =
    parsed.kind() === 'ipv4'
      ? ipv4Number(parsed as ipaddr.IPv4) - pool.ipv4Base
      : Number(ipv6Number(parsed as ipaddr.IPv6) - pool.ipv6Base);
  return offset >= 0 && offset < pool.size ? offset : undefined;
}

/** `.0` and `.255` of each /24 and the ends of the pool are never used: some systems take them for broadcast. */
export function isUsableSlot(pool: Pool, slot: number): boolean {
  const lastOctet = (pool.ipv4Base + slot) & 0xff;
  return lastOctet !== 0 && lastOctet !== 255 && slot > 0 && slot < pool.size - 1;
}

export const blockOfSlot = (slot: number): number => Math.floor(slot / BLOCK_SLOTS);

export const blockCount = (pool: Pool): number => Math.ceil(pool.size / BLOCK_SLOTS);

/** Usable slots of the whole pool. */
export function capacityOf(pool: Pool): number {
  if (pool.size >= BLOCK_SLOTS) return blockCount(pool) * (BLOCK_SLOTS - 2);
  let usable = 0;
  for (let slot = 0; slot < pool.size; slot++) if (isUsableSlot(pool, slot)) usable++;
  return usable;
}

/**
 * Where the search for a host's VIP begins. A hash, so that a rebuilt table tends to give the same addresses
 * and writers that know nothing of each other begin in different blocks.
 */
export function homeSlot(pool: Pool, namespace: string, host: string): number {
  const hash = createHash('sha256').update(`${namespace}/${host}`).digest();
  return hash.readUIntBE(0, 6) % pool.size;
}
