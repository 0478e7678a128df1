import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { RegistryUnavailableError } from '../registry/errors.ts';
import type { MeshSource } from '../registry/mesh-source.ts';
import { scopeOf } from '../resolve/exchange.ts';
import { buildTable, type TableSettings } from '../table/build-table.ts';
import { TABLE_SCHEMA_VERSION } from '../table/mesh-table.ts';
import { tableJson } from '../table/parse-table.ts';
import type { RegisteredMesh } from '../table/registered-host.ts';
import type { View } from '../table/view.ts';

export interface TableCacheOptions {
  /** What a table says besides what is registered. */
  readonly settings: TableSettings & { readonly pools: { readonly ipv4: string; readonly ipv6: string } };
  /** How old the last known state may be and still be told when the store cannot be read. */
  readonly staleMaxMs: number;
  readonly now?: () => number;
}

export interface ServedTable {
  /** Differs whenever the table may: of the version of the registry, the view and the settings. */
  readonly tag: string;
  /** The table as JSON, compressed with gzip; absent when whoever asks has it already. */
  readonly body?: Buffer;
  /** Seconds since it was certain that nothing newer is registered; 0 unless the store cannot be read. */
  readonly age: number;
}

/** Octets of all tables together, compressed: some hundreds of large ones. */
const MOST_OCTETS = 64 * 1024 * 1024;
const TAG_LENGTH = 22;
const VERSION_TIMEOUT_MS = 1_200;
/** Within what a function for queries may take in all. */
const READ_TIMEOUT_MS = 3_000;

const compress = promisify(gzip);

/** One promise for all who ask for the same at the same time. */
class Coalesced<T> {
  readonly #underWay = new Map<string, Promise<T>>();

  run(key: string, start: () => Promise<T>): Promise<T> {
    const joined = this.#underWay.get(key);
    if (joined) return joined;
    const started = start().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, started);
    return started;
  }
}

interface Version {
  readonly text: string;
  readonly readAt: number;
}

interface Built {
  readonly version: string;
  readonly tag: string;
  readonly body: Buffer;
  /** When the version was last seen to be the newest. */
  readonly confirmedAt: number;
}

/** Tables of views, each built and compressed once for every version of the registry. */
export class TableCache {
  readonly #source: MeshSource;
  readonly #options: Required<TableCacheOptions>;
  readonly #fingerprint: string;
  /** The latest of each view. */
  readonly #tables = new LRUCache<string, Built>({ maxSize: MOST_OCTETS, sizeCalculation: ({ body }) => body.length });
  readonly #versions = new Coalesced<Version>();
  readonly #meshes = new Coalesced<RegisteredMesh>();
  readonly #builds = new Coalesced<Built>();
  #lastBuild: Promise<unknown> = Promise.resolve();
  #newest: Version | undefined;
  #mesh: { readonly version: string; readonly read: RegisteredMesh } | undefined;

  constructor(source: MeshSource, options: TableCacheOptions) {
    this.#source = source;
    this.#options = { now: Date.now, ...options };
    const { ttl, privateZones, pools } = options.settings;
    this.#fingerprint = JSON.stringify([TABLE_SCHEMA_VERSION, ttl, privateZones, pools]);
  }

  /**
   * The table of a view: at the cost of one read where `isHeld` says of its tag that whoever asks has it already.
   * Undefined when the store cannot be read and nothing is known.
   */
  async find(view: View, isHeld: (tag: string) => boolean): Promise<ServedTable | undefined> {
    const scope = scopeOf(view);
    try {
      const version = await this.#versions.run('', () => this.#readVersion());
      const tag = this.#tagOf(version.text, scope);
      if (isHeld(tag)) return { tag, age: 0 };
      const { body } = await this.#current(version, tag, scope, view);
      return { tag, body, age: 0 };
    } catch (error) {
      if (error instanceof RegistryUnavailableError) return this.#stale(scope, isHeld);
      throw error;
    }
  }

  #stale(scope: string, isHeld: (tag: string) => boolean): ServedTable | undefined {
    const built = this.#tables.get(scope);
    if (!built) return undefined;
    const { now, staleMaxMs } = this.#options;
    const { tag, body, version } = built;
    const seenAt = this.#newest?.text === version ? this.#newest.readAt : built.confirmedAt;
    if (seenAt + staleMaxMs < now()) return undefined;
    const age = Math.max(1, Math.round((now() - seenAt) / 1000));
    return isHeld(tag) ? { tag, age } : { tag, body, age };
  }

  async #readVersion(): Promise<Version> {
    const readAt = this.#options.now();
    const text = await this.#source.version(AbortSignal.timeout(VERSION_TIMEOUT_MS));
    this.#newest = { text, readAt };
    return this.#newest;
  }

  #tagOf(version: string, scope: string): string {
    return hash('sha256', `${version} ${scope} ${this.#fingerprint}`, 'base64url').slice(0, TAG_LENGTH);
  }

  #current(version: Version, tag: string, scope: string, view: View): Built | Promise<Built> {
    const known = this.#tables.get(scope);
    if (known?.tag !== tag) return this.#builds.run(tag, () => this.#build(version, tag, scope, view));
    const confirmed = { ...known, confirmedAt: version.readAt };
    this.#tables.set(scope, confirmed);
    return confirmed;
  }

  async #build({ text, readAt }: Version, tag: string, scope: string, view: View): Promise<Built> {
    const mesh = await this.#meshAt(text);
    const body = await this.#inTurn(() => compress(tableJson(buildTable(mesh, view, this.#options.settings))));
    const built = { version: text, tag, body, confirmedAt: readAt };
    this.#tables.set(scope, built);
    return built;
  }

  /** One at a time: each needs memory for a whole table and its text, whatever number of views is asked for at once. */
  #inTurn<T>(build: () => Promise<T>): Promise<T> {
    const built = this.#lastBuild.then(build);
    this.#lastBuild = built.catch(() => undefined);
    return built;
  }

  /** One reading for all views; one that began before the version was known could lack what the version stands for. */
  async #meshAt(version: string): Promise<RegisteredMesh> {
    if (this.#mesh?.version === version) return this.#mesh.read;
    const read = await this.#meshes.run(version, () => this.#source.read(AbortSignal.timeout(READ_TIMEOUT_MS)));
    this.#mesh = { version, read };
    return read;
  }
}
