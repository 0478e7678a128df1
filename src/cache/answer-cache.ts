import { createLRU } from 'lru.min';
import { RRType } from '../dns/constants.ts';
import { uint32 } from '../dns/octets.ts';
import { HEADER_OCTETS } from '../dns/query.ts';
import { secondsOf } from '../dns/relayed-response.ts';
import { cacheSeconds, type RecordAt, recordsOf } from '../dns/walk.ts';
import { FAILURE_SECONDS, isFailure, keptSeconds } from './lifetime.ts';
import { nameInKey, queryKey } from './query-key.ts';
import { type Rotation, rotate, rotationOf } from './rotation.ts';

export interface AnswerCacheOptions {
  /** Octets of memory that all entries together may take up; above 0. */
  readonly maxBytes: number;
  /** How long it may be believed whose name it is: an answer made here, or the decision to forward, lives no longer. */
  readonly decisionMaxMs: number;
  /** How long a forwarded answer may serve after its end (RFC 8767 section 4). */
  readonly staleMaxMs: number;
  /** How long a SERVFAIL is kept (RFC 9520 section 3.2): 5 by default, 1 at least. */
  readonly failureSeconds?: number;
  readonly now?: () => number;
}

export interface CachedAnswer {
  /** A response of its own: id and question are the query's, TTLs are counted down. */
  readonly wire: Buffer;
  /** Seconds that it may be kept from now on; undefined: not at all. */
  readonly maxAge: number | undefined;
  /** Past its end, because the upstreams failed; its TTLs are 30 s at most. */
  readonly stale: boolean;
}

/** Of a forwarded answer. */
export interface KnownAnswer {
  /** Its records, where it has been taken apart. */
  readonly records?: readonly RecordAt[] | undefined;
  /** How long HTTP may keep it, where that is known: undefined for not at all. */
  readonly seconds?: number | undefined;
  /** Whether it may still be said after its end; true by default. */
  readonly servesStale?: boolean;
}

/** Changes with every commit; an answer found before a commit must not be kept after it. */
export type Generation = number;

interface Entry {
  /**
   * A character for each octet: to the garbage collector, a string is one small object, and a buffer several large ones.
   * Undefined: the name is nobody's here, so the answer is the one that was forwarded.
   */
  readonly wire: string | undefined;
  readonly questionEnd: number;
  /** Of the TTLs that are counted down. */
  readonly ttlOffsets: readonly number[];
  readonly rotation: Rotation | undefined;
  /** Index of the record that is in front next. */
  turn: number;
  /** Seconds that it could be kept when it was new; undefined: not at all. */
  readonly seconds: number | undefined;
  /** When it came here, in milliseconds. */
  readonly since: number;
  /** From then on; lengths of time are small integers, which are no objects. */
  readonly freshMs: number;
  readonly staleMs: number;
  /** Until then the upstreams are spared, and the answer is stale. */
  spareUntil: number;
  readonly generation: Generation;
}

/** RFC 8767 section 4. */
const STALE_TTL = 30;
/** After all upstreams failed. */
const SPARE_MS = 5_000;
/** An entry without its octets, as it takes up memory: list node, map slot, objects. */
const ENTRY_OCTETS = 350;
const FIRST_ENTRIES = 1024;
const OFFSET_OCTETS = 8;
const ROTATION_OCTETS = 40;
const NO_OFFSETS: readonly number[] = [];

/**
 * Responses by the octets of their queries; a hit is never decoded. Answers made here are kept for each view (`scope`)
 * that may see them. Forwarded answers are shared between views, but a view gets one only while it is known that the
 * name is none of its own.
 */
export class AnswerCache {
  readonly #options: Required<AnswerCacheOptions>;
  readonly #entries: ReturnType<typeof createLRU<string, Entry>>;
  #octets = 0;
  #generation: Generation = 0;

  constructor(options: AnswerCacheOptions) {
    this.#options = { now: Date.now, failureSeconds: FAILURE_SECONDS, ...options };
    this.#entries = createLRU({
      // It takes memory for all of them at once, so it grows with what there is.
      max: FIRST_ENTRIES,
      // Also told of what is replaced or deleted.
      onEviction: (key, entry) => {
        this.#octets -= octetsOf(key, entry);
      },
    });
  }

  get generation(): Generation {
    return this.#generation;
  }

  /** Octets in use. */
  get octets(): number {
    return this.#octets;
  }

  /** Answers and decisions that are kept. */
  get entries(): number {
    return this.#entries.size;
  }

  /** The answer to these octets for a view, if it is known without looking at anything else. */
  find(query: Uint8Array, scope: string): CachedAnswer | undefined {
    const key = queryKey(query, scope);
    if (key === undefined) return undefined;
    const now = this.#options.now();
    const decided = this.#entries.get(key);
    if (decided === undefined || decided.generation !== this.#generation || !isFresh(decided, now)) return undefined;
    const entry = decided.wire === undefined ? this.#entries.get(key.slice(0, key.length - scope.length)) : decided;
    return entry !== undefined && isFresh(entry, now) ? answerFrom(entry, query, now) : undefined;
  }

  /** Keeps an answer made here; `maxAge` is how many seconds it may be kept at all. */
  keepOwned(query: Uint8Array, scope: string, response: Buffer, maxAge: number, generation: Generation): void {
    const key = queryKey(query);
    const records = recordsOf(response);
    if (key === undefined || records === undefined) return;
    this.#keepDecision(key + scope, generation, Math.min(maxAge * 1000, this.#options.decisionMaxMs), {
      wire: textOf(response),
      questionEnd: questionEndOf(key),
      rotation: rotationOf(response, records),
      seconds: maxAge,
    });
  }

  /** Keeps the decision that a view's question is forwarded. */
  keepForwarding(query: Uint8Array, scope: string, generation: Generation): void {
    const key = queryKey(query);
    if (key === undefined) return;
    const nothing = { wire: undefined, questionEnd: 0, rotation: undefined, seconds: undefined };
    this.#keepDecision(key + scope, generation, this.#options.decisionMaxMs, nothing);
  }

  /** Forgets whose names they are, and all answers made here: one commit may change the answers for many names. */
  forgetDecisions(): void {
    this.#generation++;
  }

  /**
   * Forgets all that is known of the names for which `matches` holds. It gets them in wire form, lower case, a
   * character for each octet.
   */
  forgetNames(matches: (qname: string) => boolean): void {
    for (const key of [...this.#entries.keys()]) if (matches(nameInKey(key))) this.#entries.delete(key);
  }

  /** The forwarded answer to a query that is to be forwarded: fresh, or stale while failed upstreams are spared. */
  forwarded(query: Uint8Array): CachedAnswer | undefined {
    const key = queryKey(query);
    const entry = key === undefined ? undefined : this.#entries.get(key);
    const now = this.#options.now();
    if (entry === undefined) return undefined;
    if (isFresh(entry, now)) return answerFrom(entry, query, now);
    return now < entry.spareUntil && isUsable(entry, now) ? staleAnswerFrom(entry, query) : undefined;
  }

  /** What can still be said after all upstreams failed; they are then spared for a while (RFC 8767 section 5). */
  stale(query: Uint8Array): CachedAnswer | undefined {
    const key = queryKey(query);
    const entry = key === undefined ? undefined : this.#entries.get(key);
    const now = this.#options.now();
    if (entry === undefined || !isUsable(entry, now)) return undefined;
    entry.spareUntil = now + SPARE_MS;
    return staleAnswerFrom(entry, query);
  }

  /** Keeps what an upstream said, or what is said because none did. */
  keepForwarded(query: Uint8Array, response: Buffer, known: KnownAnswer = {}): void {
    const { records = recordsOf(response), seconds = cacheSeconds(response, records), servesStale = true } = known;
    const key = queryKey(query);
    if (key === undefined || records === undefined) return;
    const lifetimeMs = keptSeconds(response, records, seconds, this.#options.failureSeconds) * 1000;
    // What is older is no answer any more, not even a stale one.
    if (lifetimeMs <= 0) this.#entries.delete(key);
    else
      this.#keep(
        key,
        this.#forwardedEntry(questionEndOf(key), response, records, { seconds, lifetimeMs, servesStale }),
      );
  }

  #forwardedEntry(
    questionEnd: number,
    response: Buffer,
    records: readonly RecordAt[],
    kept: { readonly seconds: number | undefined; readonly lifetimeMs: number; readonly servesStale: boolean },
  ): Entry {
    const { seconds, lifetimeMs, servesStale } = kept;
    const counted = records.filter(({ type }) => type !== RRType.OPT);
    return {
      wire: textOf(withSeconds(response, counted)),
      questionEnd,
      ttlOffsets: counted.map(({ ttlOffset }) => ttlOffset),
      rotation: undefined,
      turn: 0,
      seconds,
      since: this.#options.now(),
      freshMs: lifetimeMs,
      staleMs: servesStale && !isFailure(response) ? this.#options.staleMaxMs : 0,
      spareUntil: 0,
      generation: 0,
    };
  }

  #keepDecision(
    key: string,
    generation: Generation,
    lifetimeMs: number,
    answer: Pick<Entry, 'wire' | 'questionEnd' | 'rotation' | 'seconds'>,
  ): void {
    if (generation !== this.#generation || lifetimeMs <= 0) return;
    const lifetime = { since: this.#options.now(), freshMs: lifetimeMs, staleMs: 0, spareUntil: 0 };
    this.#keep(key, { ...answer, ...lifetime, ttlOffsets: NO_OFFSETS, turn: 0, generation });
  }

  /** In place of what was used longest ago. */
  #keep(key: string, entry: Entry): void {
    const { maxBytes } = this.#options;
    const octets = octetsOf(key, entry);
    if (octets > maxBytes) {
      this.#entries.delete(key);
      return;
    }
    if (this.#entries.available === 0) this.#entries.resize(2 * this.#entries.max);
    this.#entries.set(key, entry);
    this.#octets += octets;
    while (this.#octets > maxBytes) this.#entries.evict(1);
  }
}

const octetsOf = (key: string, { wire, ttlOffsets, rotation }: Entry): number =>
  ENTRY_OCTETS +
  key.length +
  (wire?.length ?? 0) +
  ttlOffsets.length * OFFSET_OCTETS +
  (rotation === undefined ? 0 : ROTATION_OCTETS);

/** A key is one octet of traits and the question. */
const questionEndOf = (key: string): number => HEADER_OCTETS + key.length - 1;

const textOf = (response: Buffer): string => response.toString('latin1');

const isFresh = ({ since, freshMs }: Entry, now: number): boolean => now < since + freshMs;

/** Fresh, or stale but better than nothing. */
const isUsable = ({ since, freshMs, staleMs }: Entry, now: number): boolean => now < since + freshMs + staleMs;

/** With the TTLs that count. */
function withSeconds(response: Buffer, counted: readonly RecordAt[]): Buffer {
  const differing = counted.filter((record) => secondsOf(response, record) !== record.ttl);
  if (differing.length === 0) return response;
  const wire = Buffer.from(response);
  for (const record of differing) wire.writeUInt32BE(secondsOf(response, record), record.ttlOffset);
  return wire;
}

/** The response with the id and the question, in its own case, of the query. */
function addressed(wire: string, { questionEnd }: Entry, query: Uint8Array): Buffer {
  const response = Buffer.from(wire, 'latin1');
  response[0] = query[0] ?? 0;
  response[1] = query[1] ?? 0;
  for (let at = HEADER_OCTETS; at < questionEnd; at++) response[at] = query[at] ?? 0;
  return response;
}

function answerFrom(entry: Entry, query: Uint8Array, now: number): CachedAnswer | undefined {
  const { wire, rotation, ttlOffsets, seconds } = entry;
  if (wire === undefined) return undefined;
  const response = addressed(wire, entry, query);
  if (rotation !== undefined) {
    rotate(response, rotation, entry.turn);
    entry.turn = (entry.turn + 1) % rotation.count;
  }
  if (ttlOffsets === NO_OFFSETS) return { wire: response, maxAge: seconds, stale: false };
  const age = Math.floor((now - entry.since) / 1000);
  countDown(response, ttlOffsets, age);
  return { wire: response, maxAge: seconds === undefined ? undefined : Math.max(0, seconds - age), stale: false };
}

function countDown(response: Buffer, ttlOffsets: readonly number[], age: number): void {
  if (age <= 0) return;
  for (const at of ttlOffsets) response.writeUInt32BE(Math.max(0, uint32(response, at) - age), at);
}

function staleAnswerFrom(entry: Entry, query: Uint8Array): CachedAnswer | undefined {
  if (entry.wire === undefined) return undefined;
  const response = addressed(entry.wire, entry, query);
  for (const at of entry.ttlOffsets) response.writeUInt32BE(Math.min(STALE_TTL, uint32(response, at)), at);
  return { wire: response, maxAge: STALE_TTL, stale: true };
}
