import { BatchWriteItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import {
  ATTRIBUTE,
  decodeBlock,
  encodeClaim,
  encodeObject,
  encodeTombstone,
  encodeVip,
  type Item,
} from '../../src/registry/dynamodb-items.ts';
import { batchGet, type TableClient } from '../../src/registry/dynamodb-snapshot.ts';
import { marshalKey } from '../../src/registry/dynamodb-update.ts';
import { reviseEntry, withStatus } from '../../src/registry/entry-revision.ts';
import { belowItem, blockItem, entryItem, hostItem, keyText, SUFFIXES, vipItem } from '../../src/registry/keys.ts';
import { type HeldVip, signatureOf } from '../../src/registry/state.ts';
import { namesAbove, suffixMembers } from '../../src/registry/suffixes.ts';
import { claimsOf } from '../../src/serviceentry/claims.ts';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import type { Block } from '../../src/vip/plan.ts';
import { addressesOfSlot, blockCount, blockOfSlot, capacityOf, isUsableSlot, type Pool } from '../../src/vip/pool.ts';
import { autoEntry, deadline } from './registry.ts';

const NAMESPACE = 'fill';
/** BatchWriteItem takes 25 items. */
const BATCH = 25;

const hostOf = (slot: number): string => `service-${slot}.fill.example.com`;
const entryName = (block: number): string => `block-${block}`;

/** The same order at every run (a linear congruential generator, and Fisher and Yates's shuffle). */
function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items];
  let state = 20_261;
  for (let i = result.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const j = state % (i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

/**
 * Brings a pool to a fill without the hours that as many applies would take: writes the items that they would have
 * left, an entry for each block. Slots that others hold stay theirs.
 */
export class PoolFiller {
  readonly #source: TableClient;
  readonly #pool: Pool;
  readonly #order: readonly number[];
  /** Slots held by hosts of ours; undefined while live, else the end of the tombstone. */
  readonly #held = new Map<number, number | undefined>();

  constructor(source: TableClient, pool: Pool) {
    this.#source = source;
    this.#pool = pool;
    const slots = Array.from({ length: pool.size }, (_, slot) => slot);
    this.#order = shuffled(slots.filter((slot) => isUsableSlot(pool, slot)));
  }

  /** Takes slots at random until this share of the capacity is in use. */
  async fill(share: number): Promise<void> {
    await this.#makeFindable();
    const blocks = await this.#readBlocks();
    const used = [...blocks.values()].reduce((sum, block) => sum + block.used.size, 0);
    const missing = Math.max(0, Math.round(capacityOf(this.#pool) * share) - used);
    const free = this.#order.filter((slot) => !blocks.get(blockOfSlot(slot))?.used.has(slot));
    const taken = free.slice(0, missing);
    for (const slot of taken) this.#held.set(slot, undefined);
    await this.#write(taken, blocks);
  }

  /** Releases this many of our slots: tombstones that end at `until`. */
  async release(count: number, until: number): Promise<void> {
    const blocks = await this.#readBlocks();
    const live = [...this.#held].flatMap(([slot, end]) => (end === undefined ? [slot] : []));
    const released = live.slice(0, count);
    for (const slot of released) this.#held.set(slot, until);
    await this.#write(released, blocks);
  }

  /** Every block; a tombstone of ours that is gone from its block has been reclaimed, and is ours no more. */
  async #readBlocks(): Promise<Map<number, Block>> {
    const blocks = await this.#allBlocks();
    for (const [slot, until] of this.#held) {
      const reclaimed = until !== undefined && !blocks.get(blockOfSlot(slot))?.tombstones.has(slot);
      if (reclaimed) this.#held.delete(slot);
    }
    return blocks;
  }

  async #allBlocks(): Promise<Map<number, Block>> {
    const numbers = Array.from({ length: blockCount(this.#pool) }, (_, number) => number);
    const items = await batchGet(
      this.#source,
      numbers.map((number) => blockItem(this.#pool.id, number)),
      true,
      deadline(),
    );
    return new Map(
      numbers.map((number) => [number, decodeBlock(items.get(keyText(blockItem(this.#pool.id, number))) ?? null)]),
    );
  }

  async #write(slots: readonly number[], blocks: ReadonlyMap<number, Block>): Promise<void> {
    const numbers = new Set(slots.map(blockOfSlot));
    const items: Item[] = [];
    for (const number of numbers) {
      const entry = this.#entryOf(number);
      if (entry) items.push(entryRecord(entry));
      items.push(this.#blockRecord(number, blocks.get(number)));
      for (const slot of slots) if (blockOfSlot(slot) === number) items.push(...this.#holderRecords(slot, entry));
    }
    const batches = Array.from({ length: Math.ceil(items.length / BATCH) }, (_, i) =>
      items.slice(i * BATCH, (i + 1) * BATCH),
    );
    for (const batch of batches) await this.#put(batch);
  }

  async #put(items: readonly Item[]): Promise<void> {
    const requests = items.map((item) => ({ PutRequest: { Item: item } }));
    await this.#source.client.send(new BatchWriteItemCommand({ RequestItems: { [this.#source.table]: requests } }));
  }

  #vipOf(slot: number): HeldVip {
    const until = this.#held.get(slot);
    const vip = { poolId: this.#pool.id, slot, ...addressesOfSlot(this.#pool, slot) };
    return until === undefined ? vip : { ...vip, until };
  }

  /** The entry of our live hosts in a block, if there are any. */
  #entryOf(number: number): ServiceEntry | undefined {
    const slots = [...this.#held].flatMap(([slot, until]) =>
      until === undefined && blockOfSlot(slot) === number ? [slot] : [],
    );
    if (slots.length === 0) return undefined;
    const applied = autoEntry(NAMESPACE, entryName(number), slots.map(hostOf));
    const entry = reviseEntry(undefined, applied, { now: 0, uid: entryName(number) });
    return withStatus(entry, new Map(slots.map((slot) => [hostOf(slot), this.#vipOf(slot)])), undefined, 0);
  }

  #blockRecord(number: number, before: Block | undefined): Item {
    const ours = [...this.#held].filter(([slot]) => blockOfSlot(slot) === number);
    const used = new Set([...(before?.used ?? []), ...ours.map(([slot]) => slot)]);
    const tombstones = ours.flatMap(([slot, until]) =>
      until === undefined
        ? []
        : [[ATTRIBUTE.tombstone(slot), encodeTombstone({ until, namespace: NAMESPACE, host: hostOf(slot) })] as const],
    );
    return {
      ...marshalKey(blockItem(this.#pool.id, number)),
      [ATTRIBUTE.used]: { NS: [...used].map(String) },
      ...Object.fromEntries(tombstones),
    };
  }

  /** The host and the VIP. */
  #holderRecords(slot: number, entry: ServiceEntry | undefined): Item[] {
    const host = hostOf(slot);
    const vip = this.#vipOf(slot);
    const claims =
      entry && vip.until === undefined ? claimsOf({ ...entry, spec: { ...entry.spec, hosts: [host] } }) : [];
    const until = vip.until === undefined ? {} : { until: { N: String(vip.until) } };
    return [
      {
        ...marshalKey(hostItem(host)),
        ...Object.fromEntries(
          claims.map((claim) => [ATTRIBUTE.claim(`${NAMESPACE}/${claim.entry}`), encodeClaim(claim)]),
        ),
        [ATTRIBUTE.vip(NAMESPACE)]: encodeVip(vip),
        [ATTRIBUTE.revision(NAMESPACE)]: { N: '1' },
        [ATTRIBUTE.signature(NAMESPACE)]: { S: signatureOf(claims, vip) },
      },
      {
        ...marshalKey(vipItem(this.#pool.id, slot)),
        ipv4: { S: vip.ipv4 },
        ipv6: { S: vip.ipv6 },
        namespace: { S: NAMESPACE },
        host: { S: host },
        ...until,
      },
    ];
  }

  async #makeFindable(): Promise<void> {
    const add = (key: Parameters<typeof marshalKey>[0], name: string, members: { NS: string[] } | { SS: string[] }) =>
      this.#source.client.send(
        new UpdateItemCommand({
          TableName: this.#source.table,
          Key: marshalKey(key),
          UpdateExpression: 'ADD #set :members',
          ExpressionAttributeNames: { '#set': name },
          ExpressionAttributeValues: { ':members': members },
        }),
      );
    await add(SUFFIXES, 'members', {
      NS: suffixMembers({ host: hostOf(0), namespace: NAMESPACE, exportTo: [] }).map(String),
    });
    for (const name of namesAbove(hostOf(0))) await add(belowItem(name), 'scopes', { SS: ['*'] });
  }
}

function entryRecord(entry: ServiceEntry): Item {
  const { namespace, name, uid = '', resourceVersion = '' } = entry.metadata;
  return {
    ...marshalKey(entryItem(namespace, name)),
    object: encodeObject(entry),
    resourceVersion: { S: resourceVersion },
    writeId: { S: uid },
  };
}
