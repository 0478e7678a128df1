import type { HostClaim } from '../serviceentry/claim.ts';
import type { Pool } from '../vip/pool.ts';
import { ExaminedItems, keyOf, type Suspect, suspicious } from './dynamodb-examined.ts';
import { isTransient } from './dynamodb-faults.ts';
import { scopesAbove } from './dynamodb-findable.ts';
import { readPage } from './dynamodb-fsck-page.ts';
import { type Item, ItemFormatError } from './dynamodb-items.ts';
import { readPools } from './dynamodb-open.ts';
import { examine } from './dynamodb-repair.ts';
import { findableSet, retire, unusedFinding } from './dynamodb-retirement.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import type { WriterOptions } from './dynamodb-writer.ts';
import { RegistryUnavailableError } from './errors.ts';
import type { Check, Finding, FsckContext } from './fsck.ts';
import { type FsckPart, type FsckRequest, type RegistryFsck, type ReportedFinding, reported } from './fsck-report.ts';
import { checksOfBlock, checksOfEntry, checksOfHost, checksOfVip } from './fsck-subjects.ts';
import { decodePosition, encodePosition, type FsckPosition, PHASES, startOf } from './fsck-token.ts';
import {
  BLOCK_PREFIX,
  CHANGES,
  ENTRIES,
  hostOfPartition,
  keyText,
  POOLS,
  PRINCIPALS,
  poolItem,
  poolPartition,
  SUFFIXES,
  TOKENS,
} from './keys.ts';
import { suffixMembers } from './suffixes.ts';

export interface FsckOptions extends WriterOptions {
  /** How long one part may take before it ends with a token, in milliseconds. */
  readonly partMs?: number;
}

const PART_MS = 4_000;
const CHUNK_ITEMS = 20;
/** A claim goes, then its VIP: nothing takes more than two. */
const MOST_ROUNDS = 3;
/** Of one part: what a function may answer with is bounded. */
const MOST_FINDINGS = 1_000;

/** Partitions that hold no part of the allocation. */
const OTHERS: ReadonlySet<string> = new Set([SUFFIXES.pk, CHANGES, POOLS, ENTRIES, TOKENS, PRINCIPALS]);

/** One run's stretch: what it looks at, what it finds, and where it ends. */
class Part {
  readonly #source: TableClient;
  readonly #options: FsckOptions;
  readonly #context: FsckContext;
  readonly #repair: boolean;
  readonly #signal: AbortSignal;
  readonly #endsAt: number;
  readonly #findings: ReportedFinding[] = [];
  #position: FsckPosition;
  #looked = 0;

  constructor(
    source: TableClient,
    options: FsckOptions,
    context: FsckContext,
    position: FsckPosition,
    repair: boolean,
    signal: AbortSignal,
  ) {
    this.#source = source;
    this.#options = options;
    this.#context = context;
    this.#position = position;
    this.#repair = repair;
    this.#signal = signal;
    this.#endsAt = performance.now() + (options.partMs ?? PART_MS);
  }

  async run(first: boolean): Promise<FsckPart> {
    if (first) this.#checkPool();
    do {
      const page = await readPage(this.#source, this.#position, this.#pool, this.#signal);
      const whole = await this.#lookAt(page.items);
      if (!whole) continue;
      const { after: _after, ...position } = this.#position;
      const next = page.last ? { ...position, after: page.last } : this.#following(position);
      if (!next) return { findings: this.#findings, items: this.#looked };
      this.#position = next;
    } while (!this.#isOver());
    return { findings: this.#findings, items: this.#looked, continue: encodePosition(this.#position) };
  }

  #isOver(): boolean {
    return performance.now() > this.#endsAt || this.#findings.length >= MOST_FINDINGS;
  }

  #following(position: FsckPosition): FsckPosition | undefined {
    if (position.phase === 'pools' && position.pool + 1 < this.#context.pools.length) {
      return { ...position, pool: position.pool + 1 };
    }
    const phase = PHASES[PHASES.indexOf(position.phase) + 1];
    return phase && { ...position, phase };
  }

  get #pool(): Pool | undefined {
    return this.#context.pools[this.#position.pool];
  }

  /** False: it had to stop between two items, and goes on after the last that it has done. */
  async #lookAt(items: readonly Item[]): Promise<boolean> {
    for (let start = 0; start < items.length; start += CHUNK_ITEMS) {
      if (start > 0 && this.#isOver()) return false;
      if (!(await this.#lookAtChunk(items.slice(start, start + CHUNK_ITEMS)))) return false;
    }
    return true;
  }

  async #lookAtChunk(chunk: readonly Item[]): Promise<boolean> {
    const subjects: { readonly item: Item; readonly check: Check }[] = [];
    for (const item of chunk) {
      for (const check of await this.#checksOf(item)) subjects.push({ item, check });
    }
    const known = chunk.map((item) => [keyText(keyOf(item)), item] as const);
    const suspects = await suspicious(this.#source, subjects, known, this.#signal);
    for (const item of chunk) {
      const ofItem = suspects.filter(({ subject }) => subject.item === item);
      const checks = subjects.filter((subject) => subject.item === item);
      if (ofItem.length > 0) this.#findings.push(...(await this.#examineAll(checks, ofItem)));
      this.#looked += 1;
      this.#position = { ...this.#position, after: keyOf(item) };
      if (this.#isOver() && item !== chunk.at(-1)) return false;
    }
    return true;
  }

  /** What one mend leaves of an item may need another, which no check has suspected before. */
  async #examineAll<T extends { readonly check: Check }>(checks: readonly T[], suspects: readonly Suspect<T>[]) {
    const mending = { source: this.#source, options: this.#options, context: this.#context, repair: this.#repair };
    const told = new Map<string, ReportedFinding>();
    let suspected = suspects;
    for (let rounds = 0; rounds < MOST_ROUNDS && suspected.length > 0; rounds++) {
      const findings: ReportedFinding[] = [];
      for (const { subject, keys } of suspected) {
        findings.push(...(await examine(mending, subject.check, keys, this.#signal)));
      }
      for (const finding of findings) told.set([finding.code, ...finding.items].join(' '), finding);
      if (!findings.some(({ repair }) => repair === 'done')) break;
      suspected = await suspicious(this.#source, checks, [], this.#signal);
    }
    return told.values();
  }

  #tell(finding: Finding): void {
    this.#findings.push(reported(finding, 'person'));
  }

  /** What is to be checked of an item; an item that cannot be decoded is a finding of its own. */
  async #checksOf(item: Item): Promise<Check[]> {
    try {
      switch (this.#position.phase) {
        case 'hosts':
          return this.#checksInTable(item);
        case 'pools':
          return this.#checksInPool(item);
        case 'entries':
          return this.#checksOfEntry(item);
        case 'sweep':
          await this.#sweep(item);
          return [];
      }
    } catch (error) {
      if (!(error instanceof ItemFormatError)) throw error;
      const message = `${error.message}: it was changed by hand, or by a newer version`;
      this.#tell({ code: 'Undecodable', severity: 'error', items: [keyOf(item)], message });
      return [];
    }
  }

  #examined(item: Item): ExaminedItems {
    return new ExaminedItems(new Map([[keyText(keyOf(item)), item]]));
  }

  #checksInTable(item: Item): Check[] {
    const { pk, sk } = keyOf(item);
    const isHost = pk.startsWith('host#');
    if (isHost && sk === 'host') return this.#checksOfHost(item, hostOfPartition(pk));
    const isKnown =
      OTHERS.has(pk) || (isHost && sk === 'below') || this.#context.pools.some(({ id }) => pk === poolPartition(id));
    if (isKnown) return [];
    const message = 'nothing of the registry has this key';
    this.#tell({ code: 'UnknownItem', severity: 'leftover', items: [keyOf(item)], message });
    return [];
  }

  #checksOfHost(item: Item, host: string): Check[] {
    const state = this.#examined(item).host(host);
    if (!state) return [];
    const above = this.#need([...state.claims.values()]);
    return checksOfHost(host, state, above, this.#context);
  }

  /** Notes what must stay findable for these claims. */
  #need(claims: readonly HostClaim[]): ReadonlyMap<string, ReadonlySet<string>> {
    const { seen } = this.#position;
    const above = scopesAbove(claims);
    for (const member of claims.flatMap(suffixMembers)) seen.add(String(member));
    for (const [name, scopes] of above) for (const scope of scopes) seen.add(`${scope}/${name}`);
    return above;
  }

  #checksInPool(item: Item): Check[] {
    const pool = this.#pool;
    const { sk } = keyOf(item);
    const number = Number(sk.slice(sk.indexOf('#') + 1));
    if (!pool || !Number.isInteger(number)) return [];
    const items = this.#examined(item);
    if (!sk.startsWith(BLOCK_PREFIX)) return items.vip(pool.id, number) ? checksOfVip(pool, number, this.#context) : [];
    const block = items.block(pool.id, number);
    return block ? checksOfBlock(pool, number, block, this.#context) : [];
  }

  #checksOfEntry(item: Item): Check[] {
    const { sk } = keyOf(item);
    const examined = this.#examined(item).entry(sk);
    if (examined) this.#need([...examined.claims.values(), ...examined.announced]);
    return examined ? checksOfEntry(sk, examined, this.#context) : [];
  }

  /** Allocation needs a pool that the table says is active. */
  #checkPool(): void {
    const { pool } = this.#options;
    if (this.#context.pools[0]?.id === pool.id) return;
    const message = `pool ${pool.ipv4} of the settings is not the active pool of the table: restart the servers`;
    this.#tell({ code: 'PoolMissing', severity: 'error', items: [poolItem(pool.id)], message });
  }

  async #sweep(item: Item): Promise<void> {
    const key = keyOf(item);
    const set = findableSet(key, item);
    const { seen, startedAt } = this.#position;
    const name = hostOfPartition(key.pk);
    const needs = (member: string) => seen.has(set.attribute === 'members' ? member : `${member}/${name}`);
    const unused = set.kept.filter((member) => !needs(member));
    if (unused.length + set.retiring.length === 0) return;
    const finding = unusedFinding(set, unused.length);
    if (!this.#repair) {
      this.#findings.push(reported(finding, 'possible'));
      return;
    }
    const look = { startedAt, now: this.#context.now, needs };
    this.#findings.push(reported(finding, await retire(this.#source, set, look, this.#signal)));
  }
}

/** fsck over a DynamoDB table that `openRegistry` has prepared. */
export function createDynamoDbFsck(source: TableClient, options: FsckOptions): RegistryFsck {
  async function part({ repair, continue: token }: FsckRequest, signal: AbortSignal): Promise<FsckPart> {
    const now = (options.now ?? Date.now)();
    const position = token === undefined ? startOf(now) : decodePosition(token, now);
    const { active, draining } = await readPools(source, signal);
    const pools = [...(active ? [active] : []), ...draining];
    const context = { pools, now, tombstoneMs: options.tombstoneMs };
    // A process whose pool is not the active one tells what it finds, and writes nothing.
    const mayWrite = active?.id === options.pool.id;
    return new Part(source, options, context, position, repair && mayWrite, signal).run(token === undefined);
  }
  return {
    run: (request, signal) =>
      part(request, signal).catch((error: unknown) => {
        if (!isTransient(error)) throw error;
        throw new RegistryUnavailableError('the store did not answer in time', { cause: error });
      }),
  };
}
