import { createForwarder } from '../forward/upstream-forwarder.ts';
import type { Credentials } from '../http/credentials.ts';
import { createDohTransaction, type DohTransaction } from '../http/doh-transaction.ts';
import { type CachingReader, createDynamoDbReader } from '../registry/dynamodb-reader.ts';
import type { TableClient } from '../registry/dynamodb-snapshot.ts';
import { createResolver, type Resolver } from '../resolve/resolver.ts';
import type { Settings } from '../settings.ts';

/** Everything that answers queries, on one table. */
export interface QuerySide {
  readonly reader: CachingReader;
  readonly resolver: Resolver;
  /** The DoH endpoint for those that these credentials let in. */
  doh(credentials: Credentials): DohTransaction;
  close(): Promise<void>;
}

/** Joins reader, forwarder and resolver. Nothing here writes, so that a function for queries carries no more. */
export function createQuerySide(queries: TableClient, settings: Settings): QuerySide {
  const { queryTimeoutMs } = settings;
  const reader = createDynamoDbReader(queries, settings);
  const forwarder = createForwarder(settings);
  const resolver = createResolver(settings, { reader, forwarder });
  return {
    reader,
    resolver,
    doh: (credentials) => createDohTransaction({ resolver, credentials, queryTimeoutMs }),
    close: () => forwarder.close(),
  };
}
