import { createHash } from 'node:crypto';

export interface ItemKey {
  readonly pk: string;
  readonly sk: string;
}

/**
 * Two commits to one counter at the same instant conflict, so there are many; but as few as one Query reads for half a
 * unit, which is 4 KB: everybody who looks for changes pays it.
 */
const COUNTERS = 128;

export const ENTRIES = 'entries';
export const POOLS = 'pools';
export const CHANGES = 'changes';
/** Client and administrator tokens, by their SHA-256. */
export const TOKENS = 'tokens';
/** IAM roles and users, by their ARN. */
export const PRINCIPALS = 'principals';

const padded = (number: number, digits: number): string => String(number).padStart(digits, '0');

export const entryItem = (namespace: string, name: string): ItemKey => ({ pk: ENTRIES, sk: `${namespace}/${name}` });
const HOST_PREFIX = 'host#';
export const hostItem = (host: string): ItemKey => ({ pk: HOST_PREFIX + host, sk: 'host' });
export const hostOfPartition = (pk: string): string => pk.slice(HOST_PREFIX.length);
/** Who may know that hosts exist below a name (an empty non-terminal is NODATA, not NXDOMAIN; RFC 8020). */
export const belowItem = (name: string): ItemKey => ({ pk: HOST_PREFIX + name, sk: 'below' });
export const poolPartition = (poolId: string): string => `pool#${poolId}`;
export const BLOCK_PREFIX = 'block#';
export const blockItem = (poolId: string, number: number): ItemKey => ({
  pk: poolPartition(poolId),
  sk: `${BLOCK_PREFIX}${padded(number, 5)}`,
});
export const vipItem = (poolId: string, slot: number): ItemKey => ({
  pk: poolPartition(poolId),
  sk: `vip#${padded(slot, 8)}`,
});
export const poolItem = (poolId: string): ItemKey => ({ pk: POOLS, sk: poolId });
/** Names the pool that allocations come from. */
export const ACTIVE_POOL: ItemKey = { pk: 'registry', sk: 'active-pool' };
export const SUFFIXES: ItemKey = { pk: 'registry', sk: 'suffixes' };

export function counterItem(namespace: string, name: string): ItemKey {
  const hash = createHash('sha256').update(`${namespace}/${name}`).digest();
  return { pk: CHANGES, sk: padded(hash.readUInt32BE() % COUNTERS, 3) };
}

/** One text per item, for maps. */
export const keyText = (key: ItemKey): string => `${key.pk}\u0000${key.sk}`;
