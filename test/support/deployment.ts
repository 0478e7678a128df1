import { vi } from 'vitest';
import type { HttpHandler } from '../../src/http/lambda-adapter.ts';
import { type DynamoDbEndpoint, serveDynamoDb } from './dynamodb-endpoint.ts';
import { openTestRegistry, TABLE, type TestRegistry } from './registry.ts';

/** A table on a socket, and the environment of functions that use it. */
export interface Deployment {
  readonly registry: TestRegistry;
  readonly endpoint: DynamoDbEndpoint;
  /** A new execution environment of the function in `module`. */
  start(module: string, settings?: Readonly<Record<string, string>>): Promise<HttpHandler>;
  close(): Promise<void>;
}

export async function deploy(): Promise<Deployment> {
  const registry = await openTestRegistry();
  const endpoint = await serveDynamoDb(registry.db);
  const environment = {
    AWS_REGION: 'us-east-1',
    AWS_LAMBDA_FUNCTION_NAME: 'meshdoh-test-doh',
    AWS_ACCESS_KEY_ID: 'function',
    AWS_SECRET_ACCESS_KEY: 'function',
    MESHDOH_STORE: 'dynamodb',
    MESHDOH_TABLE: TABLE,
    MESHDOH_ENDPOINT: endpoint.url,
    MESHDOH_UPSTREAMS: '',
  };
  return {
    registry,
    endpoint,
    async start(module, settings = {}) {
      for (const [name, value] of Object.entries({ ...environment, ...settings })) vi.stubEnv(name, value);
      vi.resetModules();
      const started = import(/* @vite-ignore */ module) as Promise<{ handler: HttpHandler }>;
      const { handler } = await started.finally(() => vi.unstubAllEnvs());
      return handler;
    },
    async close() {
      await endpoint.close();
      await registry.db.close();
    },
  };
}
