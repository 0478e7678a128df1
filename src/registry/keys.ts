import { createHash } from 'node:crypto';

export interface ItemKey {
  readonly pk: string;
  readonly sk: string;
}

/** Commits to one counter item are serialised by the store; 64 of them keep strangers apart. */
const COUNTERS = 64;

export const ENTRIES = 'entries';
export const POOLS = 'pools';
export const CHANGES = 'changes';

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
  return { pk: CHANGES, sk: padded(hash.readUInt32BE() % COUNTERS, 2) };
}

/** One text per item, for maps. */
export const keyText = (key: ItemKey): string => `${key.pk}\u0000${key.sk}`;
