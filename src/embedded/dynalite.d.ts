/** What this folder uses of dynalite 4, which ships untyped CommonJS. Items are in DynamoDB's JSON form. */
declare module 'dynalite/db/index.js' {
  export type Attributes = Record<string, Record<string, unknown>>;

  export type Callback<T = void> = (error: unknown, value?: T) => void;

  export interface Table {
    TableName: string;
    TableStatus: 'CREATING' | 'UPDATING' | 'DELETING' | 'ACTIVE';
    GlobalSecondaryIndexes?: { IndexStatus: string }[];
  }

  /** Bounds of a LevelDB range, and its direction. */
  export interface Range {
    gt?: string;
    gte?: string;
    lt?: string;
    lte?: string;
    reverse?: boolean;
    limit?: number;
  }

  /** Takes the place of a stream: `data` per value, then `end`; `destroy` stops it. */
  export interface ValueStream {
    on(event: string, listener: (value?: unknown) => void): unknown;
    emit(event: string, value?: unknown): boolean;
    removeAllListeners(event: string): unknown;
    destroy(): void;
  }

  export interface Write {
    type: 'put' | 'del';
    key: string;
    value?: unknown;
  }

  export type Lock = (key: string | string[], work: (release: <F>(callback: F) => F) => void) => void;

  /** One key space, as dynalite's actions see it. */
  export interface SubStore {
    lock: Lock;
    get(key: string, callback: Callback<unknown>): void;
    put(key: string, value: unknown, callback: Callback): void;
    del(key: string, callback: Callback): void;
    batch(writes: Write[], callback: Callback): void;
    createKeyStream(range?: Range): ValueStream;
    createValueStream(range?: Range): ValueStream;
  }

  /** The store that dynalite's actions run on. */
  export interface Store {
    options: { createTableMs: number; updateTableMs: number; deleteTableMs: number; maxItemSize: number };
    tableDb: SubStore & { awsAccountId: string; awsRegion: string };
    getTable(name: string, callback: Callback<Table>): void;
    getTable(name: string, onlyActive: boolean, callback: Callback<Table>): void;
    getItemDb(table: string): SubStore;
    getIndexDb(kind: string, table: string, index: string): SubStore;
    getTagDb(table: string): SubStore;
    deleteItemDb(table: string, callback: Callback): void;
    deleteIndexDb(kind: string, table: string, index: string, callback: Callback): void;
    deleteTagDb(table: string, callback: Callback): void;
  }

  const db: {
    readonly MAX_SIZE: number;
    createKey(item: Attributes, table: Table): string;
    validateKey(key: Attributes, table: Table): Error | null | undefined;
    validateItem(item: Attributes, table: Table): Error | null | undefined;
    /** Octets, as DynamoDB counts them against the item limit. */
    itemSize(item: Attributes): number;
  };
  export default db;
}

declare module 'dynalite/validations/index.js' {
  const validations: {
    /** Drops what the operation does not know, from `data` too, and refuses wrong JSON types. */
    checkTypes(data: object, types: object): Record<string, unknown>;
    /** Checks limits and parses the expressions into `data`. */
    checkValidations(data: object, types: object, custom: unknown, store: unknown): void;
  };
  export default validations;
}
