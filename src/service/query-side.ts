import { AnswerCache } from '../cache/answer-cache.ts';
import type { UpstreamFailure } from '../forward/forwarder.ts';
import { createForwarder } from '../forward/upstream-forwarder.ts';
import type { Credentials } from '../http/credentials.ts';
import { createDohTransaction, type DohTransaction } from '../http/doh-transaction.ts';
import { type PrincipalLookup, principalLookup } from '../http/iam-credentials.ts';
import type { TableCache } from '../http/table-cache.ts';
import { createTableTransaction, withTable } from '../http/table-transaction.ts';
import { type TokenLookup, tokenLookup } from '../http/token-credentials.ts';
import { createDynamoDbPrincipals } from '../registry/dynamodb-principals.ts';
import { type CachingReader, createDynamoDbReader } from '../registry/dynamodb-reader.ts';
import type { TableClient } from '../registry/dynamodb-snapshot.ts';
import { createDynamoDbTokens } from '../registry/dynamodb-tokens.ts';
import { createExchange, type Exchange, type QueryObserver } from '../resolve/exchange.ts';
import { createResolver, type Resolver } from '../resolve/resolver.ts';
import type { Settings } from '../settings.ts';
import { openTables } from './tables.ts';

/** Who is told what, for figures about it all. */
export interface QuerySideObservers {
  readonly queries: QueryObserver;
  readonly upstreamFailed: (failure: UpstreamFailure) => void;
  readonly registryReadFailed: () => void;
}

/** Everything that answers queries, on one table. */
export interface QuerySide {
  readonly reader: CachingReader;
  readonly resolver: Resolver;
  /** What every listener asks. */
  readonly exchange: Exchange;
  /** Undefined where nothing is kept. */
  readonly cache: Pick<AnswerCache, 'octets' | 'entries'> | undefined;
  /** Who asks with a token. */
  readonly tokens: TokenLookup;
  /** Who signs. */
  readonly principals: PrincipalLookup;
  /** What the views may see. */
  readonly tables: TableCache;
  /** The DoH endpoint, and the table's, for those that these credentials let in. */
  doh(credentials: Credentials): DohTransaction;
  /** Connects to table and upstreams at once and reads which names can be registered, so that no query waits for it. */
  connect(signal: AbortSignal): Promise<void>;
  /** Told of hosts whose answers may have changed, after this process has committed it. */
  committed(hosts: readonly string[]): void;
  close(): Promise<void>;
}

/** Joins reader, forwarder, cache and resolver. Nothing here writes, so that a function for queries carries no more. */
export function createQuerySide(queries: TableClient, settings: Settings, observers?: QuerySideObservers): QuerySide {
  const { queryTimeoutMs, cacheBytes, staleMaxMs } = settings;
  // What is read from an item that is about to expire is kept as long again: together, as long as is allowed.
  const registryCacheMs = cacheBytes === 0 ? settings.registryCacheMs : settings.registryCacheMs / 2;
  const readFailed = observers ? { readFailed: observers.registryReadFailed } : {};
  const moved = () => cache?.forgetDecisions();
  const reader = createDynamoDbReader(queries, { registryCacheMs, staleMaxMs, moved, ...readFailed });
  const forwarder = createForwarder({ ...settings, ...(observers ? { failed: observers.upstreamFailed } : {}) });
  const cache =
    cacheBytes === 0
      ? undefined
      : new AnswerCache({ maxBytes: cacheBytes, decisionMaxMs: registryCacheMs, staleMaxMs });
  const resolver = createResolver(settings, { reader, forwarder, cache });
  const exchange = createExchange(resolver, cache, observers?.queries);
  const tables = openTables(queries, settings);
  const { view } = settings;
  const lookup = { ...settings, ...readFailed };
  return {
    reader,
    resolver,
    exchange,
    cache,
    tokens: tokenLookup(createDynamoDbTokens(queries), view, lookup),
    principals: principalLookup(createDynamoDbPrincipals(queries), view, lookup),
    tables,
    doh: (credentials) =>
      withTable(
        createDohTransaction({ exchange, credentials, queryTimeoutMs }),
        createTableTransaction({ tables, credentials, view, queryTimeoutMs }),
      ),
    async connect(signal) {
      await Promise.all([reader.find({ hosts: [] }, view, signal), forwarder.connect(signal)]);
    },
    committed(hosts) {
      reader.expire(hosts);
      cache?.forgetDecisions();
    },
    close: () => forwarder.close(),
  };
}
