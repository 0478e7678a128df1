import { Stream } from 'node:stream';
import type { Callback, Store, SubStore, Table, ValueStream, Write } from 'dynalite/db/index.js';
import { prefixOf, readTable, storeOptions, within } from './level-layout.ts';
import type { LevelStore } from './level-store.ts';

/** What one run of an action leaves behind, and where its failures go. */
export interface ActionRun {
  /** Runs a piece of dynalite's code: what it throws fails the run instead of the process. */
  readonly guard: (code: () => void) => void;
  /** LevelDB failed. */
  readonly fail: (error: unknown) => void;
  /** Writes to items and indexes, in order, for the caller to commit in one batch. */
  readonly writes: Write[];
}

/**
 * The store one run of a dynalite action sees. Item locks are held by the caller, reads are of committed
 * state, writes to items and indexes are only collected. Tables and tags are written at once.
 */
export function createActionStore(level: LevelStore, run: ActionRun): Store {
  const collect: Writer = (writes, callback) => {
    run.writes.push(...writes);
    callback(null);
  };
  const commit: Writer = (writes, callback) => answer(run, level.commit(writes), callback);
  const clear = (prefix: string, callback: Callback) => answer(run, level.clear(within(prefix)), callback);
  const getTable = (name: string, ...rest: [Callback<Table>] | [boolean, Callback<Table>]) => {
    const [onlyActive, callback] = rest.length === 1 ? [true, rest[0]] : rest;
    answer(run, readTable(level, name, onlyActive), callback);
  };
  return {
    options: storeOptions,
    tableDb: {
      ...subStore(level, run, prefixOf.table, commit),
      awsAccountId: '000000000000',
      awsRegion: 'us-east-1',
    },
    getTable,
    getItemDb: (table) => subStore(level, run, prefixOf.item(table), collect),
    getIndexDb: (kind, table, index) => subStore(level, run, prefixOf.index(kind, table, index), collect),
    getTagDb: (table) => subStore(level, run, prefixOf.tag(table), commit),
    deleteItemDb: (table, callback) => clear(prefixOf.item(table), callback),
    deleteIndexDb: (kind, table, index, callback) => clear(prefixOf.index(kind, table, index), callback),
    deleteTagDb: (table, callback) => clear(prefixOf.tag(table), callback),
  };
}

type Writer = (writes: Write[], callback: Callback) => void;

function subStore(level: LevelStore, run: ActionRun, prefix: string, write: Writer): SubStore {
  return {
    lock: (_key, work) => work((callback) => callback),
    get: (key, callback) => answer(run, level.get(prefix + key), callback),
    put: (key, value, callback) => write([{ type: 'put', key: prefix + key, value }], callback),
    del: (key, callback) => write([{ type: 'del', key: prefix + key }], callback),
    batch: (writes, callback) =>
      write(
        writes.map((one) => ({ ...one, key: prefix + one.key })),
        callback,
      ),
    createKeyStream: (range) => emitFrom(run, unprefixed(level.keys(within(prefix, range)), prefix)),
    createValueStream: (range) => emitFrom(run, level.values(within(prefix, range))),
  };
}

function answer<T>(run: ActionRun, outcome: Promise<T>, callback: Callback<T>): void {
  outcome.then(
    (value) => run.guard(() => callback(null, value)),
    (error) => run.guard(() => callback(error)),
  );
}

async function* unprefixed(keys: AsyncIterable<string>, prefix: string): AsyncIterable<string> {
  for await (const key of keys) yield key.slice(prefix.length);
}

function emitFrom(run: ActionRun, values: AsyncIterable<unknown>): ValueStream {
  let isWanted = true;
  const destroy = () => {
    isWanted = false;
  };
  // dynalite hears every value of an emitter that is no Stream twice.
  const stream = Object.assign(new Stream(), { destroy });
  const pump = async () => {
    for await (const value of values) {
      if (!isWanted) break;
      run.guard(() => stream.emit('data', value));
    }
    run.guard(() => stream.emit('end'));
  };
  pump().catch(run.fail);
  return stream;
}
