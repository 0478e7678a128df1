import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createForwarder } from '../src/forward/upstream-forwarder.ts';
import { createDohTransaction } from '../src/http/doh-transaction.ts';
import { iamClient, nobody } from '../src/http/iam-credentials.ts';
import { dohHandler } from '../src/http/lambda-adapter.ts';
import { createDynamoDbReader } from '../src/registry/dynamodb-reader.ts';
import { createResolver } from '../src/resolve/resolver.ts';
import { deployedSettings } from '../src/settings/deployed-settings.ts';

const settings = deployedSettings(process.env);
const { table, location, view, queryTimeoutMs } = settings;

const client = new DynamoDBClient({
  ...location,
  maxAttempts: 2,
  // Without the last, the SDK only warns of a request that takes longer.
  requestHandler: { connectionTimeout: 300, requestTimeout: 400, throwOnRequestTimeout: true },
});
const reader = createDynamoDbReader({ client, table }, settings);
const forwarder = createForwarder({ ...settings, routes: Object.fromEntries(settings.routes) });
const vipPrefixes = Object.values(settings.pools);
const resolver = createResolver({ ...settings, vipPrefixes }, { reader, forwarder });
const ports = { resolver, queryTimeoutMs };

// Connects and reads the suffix set, so that the first query need not.
await reader.find({ hosts: [] }, view, AbortSignal.timeout(queryTimeoutMs));

export const handler = dohHandler({
  signed: createDohTransaction({ ...ports, credentials: iamClient(view) }),
  unsigned: createDohTransaction({ ...ports, credentials: nobody }),
});
