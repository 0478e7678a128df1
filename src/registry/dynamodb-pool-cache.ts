import type { Pool } from '../vip/pool.ts';
import { type ItemCacheOptions, Unreadable } from './dynamodb-item-cache.ts';
import { readPools } from './dynamodb-open.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { isTrueBefore } from './is-true-before.ts';
import type { Outage } from './outage.ts';

type PoolCacheOptions = Pick<ItemCacheOptions, 'registryCacheMs' | 'budgetMs' | 'now'>;

/** The pools of the table. They are only ever added to, so that what was known of them stays true however old it is. */
export class PoolCache {
  readonly #source: TableClient;
  readonly #outage: Outage;
  readonly #options: PoolCacheOptions;
  #pools: readonly Pool[] | undefined;
  #readAt = 0;
  #underWay: Promise<boolean> | undefined;

  constructor(source: TableClient, outage: Outage, options: PoolCacheOptions) {
    this.#source = source;
    this.#outage = outage;
    this.#options = options;
  }

  /** @throws Unreadable */
  async get(limit: () => AbortSignal): Promise<readonly Pool[]> {
    const { now, registryCacheMs } = this.#options;
    const isCurrent = this.#pools !== undefined && this.#readAt > now() - registryCacheMs;
    if (!isCurrent && this.#outage.admits) {
      this.#underWay ??= this.#read();
      await isTrueBefore(limit(), this.#underWay);
    }
    if (this.#pools === undefined) throw new Unreadable();
    return this.#pools;
  }

  async #read(): Promise<boolean> {
    const { now, budgetMs } = this.#options;
    const readAt = now();
    const read = await this.#outage.read(() => readPools(this.#source, AbortSignal.timeout(budgetMs)));
    this.#underWay = undefined;
    if (read === undefined) return false;
    this.#pools = read.active ? [read.active, ...read.draining] : read.draining;
    this.#readAt = readAt;
    return true;
  }
}
