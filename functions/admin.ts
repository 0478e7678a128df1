import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createAdminApp } from '../src/http/admin-app.ts';
import { iamAdministrator } from '../src/http/iam-credentials.ts';
import { signedAppHandler } from '../src/http/lambda-adapter.ts';
import { createDynamoDbEntries } from '../src/registry/dynamodb-entries.ts';
import { activatePool } from '../src/registry/dynamodb-open.ts';
import { createDynamoDbWriter } from '../src/registry/dynamodb-writer.ts';
import { deployedSettings } from '../src/settings/deployed-settings.ts';
import { createPool } from '../src/vip/pool.ts';

/** Both end before the platform would: init after 10 s, the function after 15 s. */
const OPEN_TIMEOUT_MS = 8_000;
const ADMIN_TIMEOUT_MS = 10_000;

const { table, location, tombstoneMs, pools } = deployedSettings(process.env);

const client = new DynamoDBClient({
  ...location,
  maxAttempts: 4,
  requestHandler: { connectionTimeout: 300, requestTimeout: 3000, throwOnRequestTimeout: true },
});
const source = { client, table };
const pool = createPool(pools);
const draining = await activatePool(source, pool, AbortSignal.timeout(OPEN_TIMEOUT_MS));

export const handler = signedAppHandler(
  createAdminApp({
    entries: createDynamoDbEntries(source),
    writer: createDynamoDbWriter(source, { pool, draining, tombstoneMs }),
    credentials: iamAdministrator,
    adminTimeoutMs: ADMIN_TIMEOUT_MS,
    // biome-ignore lint/suspicious/noConsole: the runtime turns it into a log record.
    report: (error) => console.error(error),
  }),
);
