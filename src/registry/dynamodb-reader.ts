import { LRUCache } from 'lru-cache';
import type { HostAnswer } from '../table/host.ts';
import type { View } from '../table/view.ts';
import { visibleHost } from '../table/visible.ts';
import { type Pool, slotOfAddress } from '../vip/pool.ts';
import { decodeHolder, decodeRecord, type Item, ItemFormatError } from './dynamodb-items.ts';
import { readPools } from './dynamodb-open.ts';
import { decodeFindable, decodeScopes } from './dynamodb-retirement.ts';
import { batchGet, type TableClient } from './dynamodb-snapshot.ts';
import { belowItem, hostItem, hostOfPartition, type ItemKey, keyText, SUFFIXES, vipItem } from './keys.ts';
import type { FindRequest, Found, Holder, RegistryReader, VipPrefixes } from './reader.ts';
import { mayBeRegistered, namesAbove, type SuffixSet } from './suffixes.ts';

export interface ReaderOptions {
  /** How old what was read may be and still count as current. */
  readonly registryCacheMs: number;
  /** How old it may be and still answer when the table cannot be read. */
  readonly staleMaxMs: number;
  /** Of the deadline of a query, the part that reading may take. */
  readonly budgetMs?: number;
  readonly now?: () => number;
}

/** A reader that its process can tell of a change it has just committed itself. */
export interface CachingReader extends RegistryReader {
  /** What was read of these hosts is no longer current. */
  expire(hosts: Iterable<string>): void;
}

interface Cached<T> {
  readonly value: T;
  readonly readAt: number;
}

/** Items kept between queries, absent ones too: names are attacker-chosen, and items as large as their users make them. */
const MOST_ITEMS = 50_000;
const MOST_OCTETS = 64 * 1024 * 1024;
/** An entry of the cache without an item, and an attribute of an item, as they take up memory. */
const ENTRY_OCTETS = 300;
const ATTRIBUTE_OCTETS = 500;
const BUDGET_MS = 1200;

class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/** Items of the table with their age: current, or stale when they cannot be read again. */
class ItemCache {
  readonly #source: TableClient;
  readonly #options: Required<ReaderOptions>;
  readonly #items = new LRUCache<string, Cached<Item | null>>({
    max: MOST_ITEMS,
    maxSize: MOST_OCTETS,
    sizeCalculation: ({ value }) => ENTRY_OCTETS + ATTRIBUTE_OCTETS * (value ? Object.keys(value).length : 0),
  });

  constructor(source: TableClient, options: Required<ReaderOptions>) {
    this.#source = source;
    this.#options = options;
  }

  /** Each key's item, read in one round trip where it is not current. */
  async get(
    keys: readonly ItemKey[],
    signal: AbortSignal,
  ): Promise<{ items: Map<string, Item | null>; stale: boolean }> {
    const wanted = keys.filter((key) => !this.#isCurrent(key));
    const stale = wanted.length > 0 && !(await this.#read(wanted, signal));
    const oldest = this.#options.now() - this.#options.staleMaxMs;
    const items = new Map<string, Item | null>();
    for (const key of keys) {
      const cached = this.#items.get(keyText(key));
      if (!cached || (stale && cached.readAt < oldest)) throw new Unreadable();
      items.set(keyText(key), cached.value);
    }
    return { items, stale };
  }

  expire(key: ItemKey): void {
    const cached = this.#items.peek(keyText(key));
    if (cached) this.#items.set(keyText(key), { ...cached, readAt: cached.readAt - this.#options.registryCacheMs });
  }

  #isCurrent(key: ItemKey): boolean {
    const cached = this.#items.get(keyText(key));
    return cached !== undefined && cached.readAt > this.#options.now() - this.#options.registryCacheMs;
  }

  async #read(keys: readonly ItemKey[], signal: AbortSignal): Promise<boolean> {
    const readAt = this.#options.now();
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.#options.budgetMs)]);
    try {
      const items = await batchGet(this.#source, keys, false, limited);
      for (const [key, value] of items) this.#items.set(key, { value, readAt });
      return true;
    } catch {
      return false;
    }
  }
}

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
const suffixesOf = onceEach(decodeFindable);
const NO_SUFFIXES: SuffixSet = new Set();

/** Names that exist above visible hosts only, for a view of this namespace. */
const existsBelow = (item: Item | null | undefined, view: View): boolean =>
  item != null && [...decodeScopes(item)].some((scope) => scope === '*' || scope === view.namespace);

/** The reader over DynamoDB: eventually consistent reads, cached, all candidates of a question in one BatchGetItem. */
export function createDynamoDbReader(source: TableClient, given: ReaderOptions): CachingReader {
  const options = { budgetMs: BUDGET_MS, now: Date.now, ...given };
  const cache = new ItemCache(source, options);
  let pools: Cached<readonly Pool[]> | undefined;

  async function find(request: FindRequest, view: View, signal: AbortSignal): Promise<Found> {
    const suffixes = await cache.get([SUFFIXES], signal);
    const item = suffixes.items.get(keyText(SUFFIXES));
    const members = item ? suffixesOf(item) : NO_SUFFIXES;
    const hosts = request.hosts.filter((host) => mayBeRegistered(members, host));
    const below = request.below === undefined ? [] : [belowItem(request.below)];
    const { items, stale } = await cache.get([...hosts.map(hostItem), ...below], signal);
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
      existsBelow: request.below !== undefined && existsBelow(items.get(keyText(belowItem(request.below))), view),
    };
  }

  async function knownPools(signal: AbortSignal): Promise<readonly Pool[]> {
    const oldest = options.now() - options.registryCacheMs;
    if (pools && pools.readAt > oldest) return pools.value;
    try {
      const { active, draining } = await readPools(source, signal);
      pools = { value: active ? [active, ...draining] : draining, readAt: options.now() };
    } catch {
      if (!pools) throw new Unreadable();
    }
    return pools.value;
  }

  async function vipPrefixes(signal: AbortSignal): Promise<VipPrefixes> {
    const prefixes = (await knownPools(signal)).flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
    return { state: 'known', prefixes };
  }

  async function holderOf(address: string, view: View, signal: AbortSignal): Promise<Holder> {
    for (const pool of await knownPools(signal)) {
      const slot = slotOfAddress(pool, address);
      if (slot === undefined) continue;
      const key = vipItem(pool.id, slot);
      const { items, stale } = await cache.get([key], signal);
      const item = items.get(keyText(key));
      if (!item) return { state: 'free', stale };
      const { host } = decodeHolder(item);
      const found = await find({ hosts: [host] }, view, signal);
      if (found.state !== 'known') return found;
      const answer = found.hosts.get(host);
      const held = answer?.vip && answer.addresses.includes(address);
      return held ? { state: 'held', host, stale: found.stale } : { state: 'free', stale: found.stale };
    }
    return { state: 'free', stale: false };
  }

  /** An item that makes no sense is as good as one that cannot be read: what it means is not known. */
  const orUnavailable = (error: unknown): { readonly state: 'unavailable' } => {
    if (error instanceof Unreadable || error instanceof ItemFormatError) return { state: 'unavailable' };
    throw error;
  };

  return {
    find: (request, view, signal) => find(request, view, signal).catch(orUnavailable),
    vipPrefixes: (signal) => vipPrefixes(signal).catch(orUnavailable),
    holderOf: (address, view, signal) => holderOf(address, view, signal).catch(orUnavailable),
    expire(hosts) {
      cache.expire(SUFFIXES);
      for (const host of hosts) {
        cache.expire(hostItem(host));
        for (const name of namesAbove(host)) cache.expire(belowItem(name));
      }
    },
  };
}
