import { iamClient, nobody } from '../src/http/iam-credentials.ts';
import { dohHandler } from '../src/http/lambda-adapter.ts';
import { openQueryTable } from '../src/registry/dynamodb-client.ts';
import { createQuerySide } from '../src/service/query-side.ts';
import { deployedSettings } from '../src/settings/deployed-settings.ts';

const settings = deployedSettings(process.env);
const { store, view, queryTimeoutMs } = settings;
const { reader, doh } = createQuerySide(openQueryTable(store), settings);

// Connects and reads the suffix set, so that the first query need not.
await reader.find({ hosts: [] }, view, AbortSignal.timeout(queryTimeoutMs));

export const handler = dohHandler({ signed: doh(iamClient(view)), unsigned: doh(nobody) });
