import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createFreshAgents } from './dynamodb-agent.ts';
import type { TableClient } from './dynamodb-snapshot.ts';

/** A DynamoDB table, where the SDK looks by itself unless told otherwise. */
export interface TableLocation {
  readonly table: string;
  readonly region?: string;
  readonly endpoint?: string;
}

const CONNECTION_TIMEOUT_MS = 300;

function openTable({ table, ...place }: TableLocation, maxAttempts: number, requestTimeout: number): TableClient {
  const { dropIdle, ...agents } = createFreshAgents();
  const requestHandler = {
    ...agents,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout,
    // Without it the SDK only warns of a request that takes longer.
    throwOnRequestTimeout: true,
  };
  const client = new DynamoDBClient({ ...place, maxAttempts, requestHandler });
  client.middlewareStack.add(
    (next) => (call) => {
      dropIdle();
      return next(call);
    },
    { step: 'initialize', name: 'dropIdleConnections' },
  );
  return { client, table };
}

/** For queries: a client waits, so it gives up early. The SDK's own retries of a throttled call take seconds. */
export const openQueryTable = (location: TableLocation): TableClient => openTable(location, 2, 400);

/** For administration, which had rather wait than fail. */
export const openAdminTable = (location: TableLocation): TableClient => openTable(location, 4, 3000);
