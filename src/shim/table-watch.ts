import { diffTables, type TableDiff } from '../table/diff-tables.ts';
import type { MeshTable } from '../table/mesh-table.ts';
import { parseTable } from '../table/parse-table.ts';
import type { Log } from './log.ts';
import { messageOf } from './message-of.ts';
import type { TableReply } from './table-source.ts';
import type { TableStore } from './table-store.ts';

export interface TableWatchPorts {
  /** Names the table on disk: a table of another endpoint is not this one's. */
  readonly url: string;
  readonly fetch: (etag: string | undefined) => Promise<TableReply>;
  readonly store: Pick<TableStore, 'read' | 'write' | 'confirm'>;
  readonly intervalMs: number;
  /** Told of every new table, before anything is answered from it; undefined: the endpoint has none. */
  readonly changed: (table: MeshTable | undefined, diff: TableDiff) => Promise<void> | void;
  readonly log: Log;
  readonly now?: () => number;
  /** From 0 to 1. */
  readonly random?: () => number;
}

const NO_CHANGE: TableDiff = { everything: false, hosts: [] };

/** A thousand hosts that were started together must not ask together. */
const JITTER = 0.1;
/** Between the beginnings of two fetches, whoever asks for them; an answer waits a second for one. */
const LEAST_PAUSE_MS = 500;
const RETRY_MS = 5_000;
/** A plain DoH server seldom becomes a mesh's. */
const ABSENT_MS = 10 * 60_000;

/** Keeps the view's table at hand: from disk at once, then from the endpoint at intervals. */
export class TableWatch {
  readonly #ports: TableWatchPorts;
  readonly #now: () => number;
  readonly #random: () => number;
  #table: MeshTable | undefined;
  #etag: string | undefined;
  #isAbsent = false;
  #isForeign = false;
  #confirmedAt = 0;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #failure: string | undefined;
  #fetching: Promise<void> | undefined;
  #keeping: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(ports: TableWatchPorts) {
    this.#ports = ports;
    this.#now = ports.now ?? Date.now;
    this.#random = ports.random ?? Math.random;
  }

  /** When an endpoint last said what the table is, or that it is still the same; milliseconds since the epoch. */
  get confirmedAt(): number {
    return this.#confirmedAt;
  }

  get state(): 'unknown' | 'absent' | 'known' {
    if (this.#table !== undefined) return 'known';
    return this.#isAbsent ? 'absent' : 'unknown';
  }

  /** Why the last fetch failed, if it did. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** What disk has is in use when this resolves; the endpoint is asked from then on. */
  async start(): Promise<void> {
    const { store, url } = this.#ports;
    const kept = await store.read(url);
    if (kept !== undefined) {
      this.#etag = kept.etag;
      this.#confirmedAt = kept.confirmedAt;
      this.#isForeign = kept.isForeign;
      await this.#use(kept.table);
    }
    void this.refresh();
  }

  /** Fetches now, or soon if that was just done; those who ask meanwhile share one fetch. Never rejects. */
  refresh(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
      this.#schedule();
    });
    return this.#fetching;
  }

  /** Whole tables only are left on disk. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#keeping;
  }

  async #fetch(): Promise<void> {
    clearTimeout(this.#timer);
    const pauseMs = this.#fetchedAt + LEAST_PAUSE_MS - this.#now();
    if (pauseMs > 0) await pause(Math.min(pauseMs, LEAST_PAUSE_MS));
    if (this.#closed) return;
    this.#fetchedAt = this.#now();
    await this.#take(await this.#ports.fetch(this.#etag));
  }

  async #take(reply: TableReply): Promise<void> {
    if (this.#closed) return;
    if (reply.kind === 'failed') return this.#fail(reply.message);
    if (reply.kind === 'unchanged') return this.#isForeign ? this.#fail('HTTP status 304') : this.#confirm();
    if (reply.kind === 'absent') return this.#takeAbsence();
    const read = parseTable(reply.json);
    if (!read.ok) return this.#fail(`the table cannot be used: ${read.reason}`);
    this.#succeed();
    this.#etag = reply.etag;
    await this.#use(read.table);
    await this.#keep(() => this.#ports.store.write(this.#ports.url, reply.json, reply.etag));
  }

  async #confirm(): Promise<void> {
    this.#succeed();
    await this.#keep(() => this.#ports.store.confirm(this.#confirmedAt));
  }

  async #takeAbsence(): Promise<void> {
    // With a table in hand, a 404 is a credential that is not known any more, or a mistake: nothing is forgotten for it.
    if (this.#table !== undefined && !this.#isForeign) return this.#fail('HTTP status 404');
    this.#succeed();
    if (this.#isAbsent) return;
    await this.#use(undefined);
    await this.#keep(() => this.#ports.store.write(this.#ports.url, undefined, undefined));
  }

  async #use(table: MeshTable | undefined): Promise<void> {
    const diff = table === undefined ? NO_CHANGE : diffTables(this.#table, table);
    this.#table = table;
    this.#isAbsent = table === undefined;
    await this.#ports.changed(table, diff);
  }

  #succeed(): void {
    if (this.#failure !== undefined) this.#ports.log.info('table: fetched again');
    this.#failures = 0;
    this.#failure = undefined;
    this.#isForeign = false;
    this.#confirmedAt = this.#now();
  }

  #fail(message: string): void {
    if (this.#failure === undefined) {
      this.#ports.log.info(`table: ${message}${this.#table === undefined ? '' : '; the last one stays in use'}`);
    }
    this.#failures++;
    this.#failure = message;
  }

  /** Without a disk everything goes on until the next boot. */
  async #keep(write: () => Promise<void>): Promise<void> {
    this.#keeping = write().catch((error: unknown) => {
      this.#ports.log.warn(`table: not kept for the next boot: ${messageOf(error)}`);
    });
    await this.#keeping;
  }

  #schedule(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    const jitter = 1 - JITTER + 2 * JITTER * this.#random();
    this.#timer = setTimeout(() => void this.refresh(), this.#waitMs() * jitter);
    this.#timer.unref();
  }

  #waitMs(): number {
    const { intervalMs } = this.#ports;
    if (this.#failures > 0) return Math.min(intervalMs, RETRY_MS * 2 ** Math.min(this.#failures - 1, 8));
    return this.#isAbsent ? Math.max(intervalMs, ABSENT_MS) : intervalMs;
  }
}

function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  return promise;
}
