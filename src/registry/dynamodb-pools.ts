import { type Block, figuresOf } from '../vip/plan.ts';
import { addressesOfSlot, blockOfSlot, isUsableSlot, type Pool, slotOfAddress } from '../vip/pool.ts';
import { keyOf, readTogether } from './dynamodb-examined.ts';
import { decodeBlock } from './dynamodb-items.ts';
import { readPools } from './dynamodb-open.ts';
import { queryPartition } from './dynamodb-partition.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import type { VipRecord } from './fsck.ts';
import { BLOCK_PREFIX, blockItem, hostItem, poolPartition, vipItem } from './keys.ts';
import type { PoolReader, PoolReport, VipReport } from './operations.ts';

async function readBlocks(source: TableClient, pool: Pool, signal: AbortSignal): Promise<Map<number, Block>> {
  const range = { pk: poolPartition(pool.id), prefix: BLOCK_PREFIX };
  const blocks = new Map<number, Block>();
  for await (const item of queryPartition(source, range, signal)) {
    blocks.set(Number(keyOf(item).sk.slice(BLOCK_PREFIX.length)), decodeBlock(item));
  }
  return blocks;
}

/** The pools of the table with their figures: one Query a pool (at most 4,096 blocks, as a rule 256). */
export async function poolFigures(source: TableClient, signal: AbortSignal, now = Date.now()): Promise<PoolReport[]> {
  const { active, draining } = await readPools(source, signal);
  const pools = [...(active ? [active] : []), ...draining];
  return Promise.all(
    pools.map(async (pool): Promise<PoolReport> => {
      const blocks = await readBlocks(source, pool, signal);
      const ends = [...blocks.values()].flatMap((block) => [...block.tombstones.values()].map(({ until }) => until));
      const next = ends.reduce(
        (least, until) => (until > now && until < least ? until : least),
        Number.POSITIVE_INFINITY,
      );
      const { id, ipv4, ipv6 } = pool;
      const state = pool === active ? 'active' : 'draining';
      return {
        id,
        ipv4,
        ipv6,
        state,
        ...figuresOf(pool, blocks, now),
        ...(Number.isFinite(next) ? { nextFreeAt: next } : {}),
      };
    }),
  );
}

function stateOf(pool: Pool, slot: number, vip: VipRecord | null, now: number): VipReport['state'] {
  if (!vip) return isUsableSlot(pool, slot) ? 'free' : 'reserved';
  if (vip.until === undefined) return 'live';
  return vip.until > now ? 'released' : 'expired';
}

export function createDynamoDbPools(source: TableClient, now: () => number = Date.now): PoolReader {
  async function reportOf(pool: Pool, slot: number, signal: AbortSignal): Promise<VipReport> {
    const items = await readTogether(source, [vipItem(pool.id, slot), blockItem(pool.id, blockOfSlot(slot))], signal);
    const vip = items.vip(pool.id, slot) ?? null;
    const block = items.block(pool.id, blockOfSlot(slot));
    return {
      ...addressesOfSlot(pool, slot),
      pool: pool.id,
      state: stateOf(pool, slot, vip, now()),
      ...(vip ? { holder: { namespace: vip.namespace, host: vip.host } } : {}),
      ...(vip?.until === undefined ? {} : { until: vip.until }),
      pinnedBy: [...new Set([...(block?.pinned.get(slot) ?? []), ...(block?.pinnedWhole ?? [])])],
      previous: vip?.previous ?? [],
    };
  }

  async function knownPools(signal: AbortSignal): Promise<Pool[]> {
    const { active, draining } = await readPools(source, signal);
    return [...(active ? [active] : []), ...draining];
  }

  return {
    pools: (signal) => poolFigures(source, signal, now()),
    async vip(address, signal) {
      for (const pool of await knownPools(signal)) {
        const slot = slotOfAddress(pool, address);
        if (slot !== undefined) return reportOf(pool, slot, signal);
      }
      return undefined;
    },
    async vipOfHost(namespace, host, signal) {
      const items = await readTogether(source, [hostItem(host)], signal);
      const pointer = items.host(host)?.namespaces.get(namespace)?.vip;
      const pool = pointer && (await knownPools(signal)).find(({ id }) => id === pointer.poolId);
      return pool && reportOf(pool, pointer.slot, signal);
    },
  };
}
