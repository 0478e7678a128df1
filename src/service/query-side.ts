import { AnswerCache } from '../cache/answer-cache.ts';
import { createForwarder } from '../forward/upstream-forwarder.ts';
import type { Credentials } from '../http/credentials.ts';
import { createDohTransaction, type DohTransaction } from '../http/doh-transaction.ts';
import { type CachingReader, createDynamoDbReader } from '../registry/dynamodb-reader.ts';
import type { TableClient } from '../registry/dynamodb-snapshot.ts';
import { createExchange, type Exchange } from '../resolve/exchange.ts';
import { createResolver, type Resolver } from '../resolve/resolver.ts';
import type { Settings } from '../settings.ts';

/** Everything that answers queries, on one table. */
export interface QuerySide {
  readonly reader: CachingReader;
  readonly resolver: Resolver;
  /** What every listener asks. */
  readonly exchange: Exchange;
  /** The DoH endpoint for those that these credentials let in. */
  doh(credentials: Credentials): DohTransaction;
  /** Told of hosts whose answers may have changed, after this process has committed it. */
  committed(hosts: readonly string[]): void;
  close(): Promise<void>;
}

/** Joins reader, forwarder, cache and resolver. Nothing here writes, so that a function for queries carries no more. */
export function createQuerySide(queries: TableClient, settings: Settings): QuerySide {
  const { queryTimeoutMs, cacheBytes, staleMaxMs } = settings;
  // What is read from an item that is about to expire is kept as long again: together, as long as is allowed.
  const registryCacheMs = cacheBytes === 0 ? settings.registryCacheMs : settings.registryCacheMs / 2;
  const reader = createDynamoDbReader(queries, { registryCacheMs, staleMaxMs });
  const forwarder = createForwarder(settings);
  const cache =
    cacheBytes === 0
      ? undefined
      : new AnswerCache({ maxBytes: cacheBytes, decisionMaxMs: registryCacheMs, staleMaxMs });
  const resolver = createResolver(settings, { reader, forwarder, cache });
  const exchange = createExchange(resolver, cache);
  return {
    reader,
    resolver,
    exchange,
    doh: (credentials) => createDohTransaction({ exchange, credentials, queryTimeoutMs }),
    committed(hosts) {
      reader.expire(hosts);
      cache?.forgetDecisions();
    },
    close: () => forwarder.close(),
  };
}
