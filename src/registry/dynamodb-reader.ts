import type { HostAnswer } from '../table/host.ts';
import type { View } from '../table/view.ts';
import { visibleHost } from '../table/visible.ts';
import { slotOfAddress } from '../vip/pool.ts';
import { ItemCache, Unreadable } from './dynamodb-item-cache.ts';
import { decodeHolder, decodeRecord, type Item, ItemFormatError } from './dynamodb-items.ts';
import { PoolCache } from './dynamodb-pool-cache.ts';
import { decodeLookedUp, decodeScopes } from './dynamodb-retirement.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { belowItem, hostItem, hostOfPartition, type ItemKey, keyText, SUFFIXES, vipItem } from './keys.ts';
import { Outage } from './outage.ts';
import type { FindRequest, Found, Holder, RegistryReader, VipPrefixes } from './reader.ts';
import { mayBeRegistered, namesAbove, type SuffixSet } from './suffixes.ts';

export interface ReaderOptions {
  /** For how long what was read, or seen to be unchanged, counts as current. */
  readonly registryCacheMs: number;
  /** How old it may be and still answer when the table cannot be read. */
  readonly staleMaxMs: number;
  /** Of the deadline of a query, the part that reading may take. */
  readonly budgetMs?: number;
  /** Told of every read that failed, also where what is known still answers. */
  readonly readFailed?: () => void;
  /** Told when it is seen that something was committed, by whomever. */
  readonly moved?: () => void;
  readonly now?: () => number;
}

/** A reader that its process can tell of a change it has just committed itself. */
export interface CachingReader extends RegistryReader {
  /** What was read of these hosts is no longer current. */
  expire(hosts: Iterable<string>): void;
}

const BUDGET_MS = 1200;

/** Remembers what an item was decoded to for as long as the item itself is kept. */
function onceEach<T>(decode: (item: Item) => T): (item: Item) => T {
  const decoded = new WeakMap<Item, T>();
  return (item) => {
    const known = decoded.get(item);
    if (known !== undefined) return known;
    const value = decode(item);
    decoded.set(item, value);
    return value;
  };
}

const recordOf = onceEach((item) => decodeRecord(hostOfPartition(item.pk?.S ?? ''), item));
const suffixesOf = onceEach(decodeLookedUp);
const NO_SUFFIXES: Pick<SuffixSet, 'has'> = new Set();

/** Names that exist above visible hosts only, for a view of this namespace. */
const existsBelow = (item: Item | null | undefined, view: View): boolean =>
  item != null && [...decodeScopes(item)].some((scope) => scope === '*' || scope === view.namespace);

/** The signal of a query, or the end of the part of its time that reading may take; that begins when first asked. */
function limitOf(signal: AbortSignal, budgetMs: number): () => AbortSignal {
  let limit: AbortSignal | undefined;
  return () => {
    limit ??= AbortSignal.any([signal, AbortSignal.timeout(budgetMs)]);
    return limit;
  };
}

/** An item that makes no sense is as good as one that cannot be read: what it means is not known. */
function orUnavailable(error: unknown): { readonly state: 'unavailable' } {
  if (error instanceof Unreadable || error instanceof ItemFormatError) return { state: 'unavailable' };
  throw error;
}

/**
 * The reader over DynamoDB: eventually consistent reads, all candidates of a question in one BatchGetItem, cached until
 * something is committed.
 */
export function createDynamoDbReader(source: TableClient, given: ReaderOptions): CachingReader {
  const options = { budgetMs: BUDGET_MS, readFailed: () => undefined, moved: () => undefined, now: Date.now, ...given };
  const outage = new Outage(options.now, options.readFailed);
  const cache = new ItemCache(source, outage, options);
  const pools = new PoolCache(source, outage, options);

  async function find({ hosts: asked, below }: FindRequest, view: View, limit: () => AbortSignal): Promise<Found> {
    const suffixes = await cache.get([SUFFIXES], limit);
    const item = suffixes.items.get(keyText(SUFFIXES));
    const members = item ? suffixesOf(item) : NO_SUFFIXES;
    const hosts = asked.filter((host) => mayBeRegistered(members, host, view.namespace));
    const { items, stale } = await cache.get(
      [...hosts.map(hostItem), ...(below === undefined ? [] : [belowItem(below)])],
      limit,
    );
    const answers = new Map<string, HostAnswer>();
    for (const host of hosts) {
      const found = items.get(keyText(hostItem(host)));
      const answer = found && visibleHost(recordOf(found), view);
      if (answer) answers.set(host, answer);
    }
    return {
      state: 'known',
      stale: stale || suffixes.stale,
      hosts: answers,
      existsBelow: below !== undefined && existsBelow(items.get(keyText(belowItem(below))), view),
    };
  }

  async function vipPrefixes(limit: () => AbortSignal): Promise<VipPrefixes> {
    const prefixes = (await pools.get(limit)).flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
    return { state: 'known', prefixes };
  }

  async function holderOf(address: string, view: View, limit: () => AbortSignal): Promise<Holder> {
    for (const pool of await pools.get(limit)) {
      const slot = slotOfAddress(pool, address);
      if (slot !== undefined) return holderOfSlot(vipItem(pool.id, slot), address, view, limit);
    }
    return { state: 'free', stale: false };
  }

  /** Two reads for every address: one that is nobody's must cost what one costs whose host the view may not see. */
  async function holderOfSlot(vip: ItemKey, address: string, view: View, limit: () => AbortSignal): Promise<Holder> {
    const slot = await cache.get([vip], limit);
    const held = slot.items.get(keyText(vip));
    // No host has the name of an address.
    const host = held ? decodeHolder(held).host : address;
    const { items, stale: hostStale } = await cache.get([hostItem(host)], limit);
    const record = items.get(keyText(hostItem(host)));
    const answer = record ? visibleHost(recordOf(record), view) : undefined;
    const stale = slot.stale || hostStale;
    return answer?.vip && answer.addresses.includes(address)
      ? { state: 'held', host, stale }
      : { state: 'free', stale };
  }

  const limitFor = (signal: AbortSignal) => limitOf(signal, options.budgetMs);
  return {
    find: (request, view, signal) => find(request, view, limitFor(signal)).catch(orUnavailable),
    vipPrefixes: (signal) => vipPrefixes(limitFor(signal)).catch(orUnavailable),
    holderOf: (address, view, signal) => holderOf(address, view, limitFor(signal)).catch(orUnavailable),
    expire(hosts) {
      cache.expire(SUFFIXES);
      for (const host of hosts) {
        cache.expire(hostItem(host));
        for (const name of namesAbove(host)) cache.expire(belowItem(name));
      }
    },
  };
}
