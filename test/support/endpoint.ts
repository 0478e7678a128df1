import { parseName } from '../../src/dns/name.ts';
import type { Forwarder } from '../../src/forward/forwarder.ts';
import type { Credentials } from '../../src/http/credentials.ts';
import { createDohTransaction, type DohTransaction } from '../../src/http/doh-transaction.ts';
import { nobody } from '../../src/http/iam-credentials.ts';
import { TableCache } from '../../src/http/table-cache.ts';
import { createTableTransaction, withTable } from '../../src/http/table-transaction.ts';
import { type TokenLookup, tokenCredentials, tokenLookup } from '../../src/http/token-credentials.ts';
import { createDynamoDbTable } from '../../src/registry/dynamodb-table.ts';
import { createDynamoDbTokens } from '../../src/registry/dynamodb-tokens.ts';
import { makeToken, tokenHash, tokenIdOf } from '../../src/registry/token-format.ts';
import type { TokenReader, TokenRecord, TokenStore } from '../../src/registry/tokens.ts';
import { createExchange } from '../../src/resolve/exchange.ts';
import { createResolver } from '../../src/resolve/resolver.ts';
import type { PartialView } from '../../src/table/view-fields.ts';
import { DEFAULT_VIEW, deadline, TABLE, type TestRegistry } from './registry.ts';

/** Nobody can be asked. */
export const NO_UPSTREAMS: Forwarder = {
  forward: async () => ({ ok: false, failures: [] }),
  upstreamsFor: () => [],
  hasRouteFor: () => false,
  close: async () => undefined,
};

export const ANSWER_SETTINGS = {
  ttl: { vip: 300, owned: 30, negative: 30 },
  privateZones: ['internal', 'cluster.local'].map(parseName).filter((zone) => zone !== undefined),
};
export const POOLS = { ipv4: '240.240.0.0/16', ipv6: '2001:2::/48' };
export const STALE_MAX_MS = 3_600_000;

/** The endpoint of clients with tokens, on a registry, without any cache of answers. */
export interface TestEndpoint {
  readonly tokens: TokenReader & TokenStore;
  readonly lookup: TokenLookup;
  readonly credentials: Credentials;
  readonly transaction: DohTransaction;
  /** Makes a token of a client with this view. */
  addToken(view?: PartialView, more?: Partial<TokenRecord>): Promise<string>;
}

export function openEndpoint(registry: TestRegistry, registryCacheMs = 60_000): TestEndpoint {
  const { client, reader, clock } = registry;
  const source = { client, table: TABLE };
  const now = () => clock.now;
  const tokens = createDynamoDbTokens(source);
  const lookup = tokenLookup(tokens, DEFAULT_VIEW, { registryCacheMs, staleMaxMs: STALE_MAX_MS, now });
  const credentials = tokenCredentials(nobody, lookup, now);
  const resolver = createResolver(ANSWER_SETTINGS, { reader, forwarder: NO_UPSTREAMS, random: () => 0 });
  const tables = new TableCache(createDynamoDbTable(source), {
    settings: { ...ANSWER_SETTINGS, pools: POOLS },
    staleMaxMs: STALE_MAX_MS,
    now,
  });
  const common = { credentials, queryTimeoutMs: 10_000 };
  return {
    tokens,
    lookup,
    credentials,
    transaction: withTable(
      createDohTransaction({ ...common, exchange: createExchange(resolver, undefined) }),
      createTableTransaction({ ...common, tables, view: DEFAULT_VIEW }),
    ),
    async addToken(view = {}, more = {}) {
      const token = makeToken();
      const sha256 = tokenHash(token);
      const createdAt = new Date(clock.now).toISOString();
      const record = { id: tokenIdOf(sha256), kind: 'client', label: 'test', view, createdAt, ...more } as const;
      await tokens.add(sha256, record, deadline());
      return token;
    },
  };
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A GET as any carrier would put it. */
export async function get(
  transaction: DohTransaction,
  target: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const { body, ...rest } = await transaction({
    method: 'GET',
    target,
    header: (name) => headers[name],
    body: new Uint8Array(),
  });
  return { ...rest, body: Buffer.from(body) };
}
