import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { TableClient } from './dynamodb-snapshot.ts';

/** A DynamoDB table, where the SDK looks by itself unless told otherwise. */
export interface TableLocation {
  readonly table: string;
  readonly region?: string;
  readonly endpoint?: string;
}

const CONNECTION_TIMEOUT_MS = 300;

function openTable({ table, ...place }: TableLocation, maxAttempts: number, requestTimeout: number): TableClient {
  // Without `throwOnRequestTimeout` the SDK only warns of a request that takes longer.
  const requestHandler = { connectionTimeout: CONNECTION_TIMEOUT_MS, requestTimeout, throwOnRequestTimeout: true };
  return { client: new DynamoDBClient({ ...place, maxAttempts, requestHandler }), table };
}

/** For queries: a client waits, so it gives up early. The SDK's own retries of a throttled call take seconds. */
export const openQueryTable = (location: TableLocation): TableClient => openTable(location, 2, 400);

/** For administration, which had rather wait than fail. */
export const openAdminTable = (location: TableLocation): TableClient => openTable(location, 4, 3000);
