import { Hono } from 'hono';
import { createForwarder } from '../forward/upstream-forwarder.ts';
import type { ApiPorts } from '../http/api.ts';
import { createExplainApp } from '../http/explain-app.ts';
import { createPrincipalsApp } from '../http/principals-app.ts';
import { createTableApp } from '../http/table-app.ts';
import type { TableCache } from '../http/table-cache.ts';
import { createTableTransaction } from '../http/table-transaction.ts';
import { createTokenApp } from '../http/token-app.ts';
import { createDynamoDbInspector } from '../registry/dynamodb-inspector.ts';
import { createDynamoDbPools } from '../registry/dynamodb-pools.ts';
import { createDynamoDbPrincipals } from '../registry/dynamodb-principals.ts';
import { createDynamoDbReader } from '../registry/dynamodb-reader.ts';
import type { TableClient } from '../registry/dynamodb-snapshot.ts';
import { createDynamoDbTokens } from '../registry/dynamodb-tokens.ts';
import type { Settings } from '../settings.ts';
import { openTables } from './tables.ts';

export interface OperatorOptions extends ApiPorts {
  /** Those that clients are served from, where the same process serves them too. */
  readonly tables?: TableCache;
  /** Told of the SHA-256 of a token that has just been made or revoked. */
  readonly tokenChanged?: (sha256: string) => void;
}

/** What operators ask of views, credentials and names: `/v1/table`, `/v1/tokens`, `/v1/principals`, `/v1/explain`. */
export function createOperatorApps(source: TableClient, settings: Settings, options: OperatorOptions): Hono {
  const { tables = openTables(source, settings), tokenChanged, ...ports } = options;
  const { view, queryTimeoutMs } = settings;
  const explaining = {
    // Nothing that was read before counts.
    reader: createDynamoDbReader(source, { registryCacheMs: 0, staleMaxMs: 0 }),
    inspector: createDynamoDbInspector(source),
    pools: createDynamoDbPools(source),
    // It says who would be asked; nobody is.
    forwarder: createForwarder(settings),
  };
  const tokens = createDynamoDbTokens(source);
  return new Hono()
    .route('/', createTableApp(createTableTransaction({ ...ports, tables, view, queryTimeoutMs })))
    .route('/', createTokenApp({ ...ports, tokens, ...(tokenChanged ? { changed: tokenChanged } : {}) }))
    .route('/', createPrincipalsApp({ ...ports, principals: createDynamoDbPrincipals(source) }))
    .route('/', createExplainApp({ ...ports, explaining, settings }));
}
