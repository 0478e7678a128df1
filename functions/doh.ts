import { iamPrincipalCredentials, nobody } from '../src/http/iam-credentials.ts';
import { dohHandler } from '../src/http/lambda-adapter.ts';
import { tokenCredentials } from '../src/http/token-credentials.ts';
import { openQueryTable } from '../src/registry/dynamodb-client.ts';
import { QueryMetrics } from '../src/service/metrics-emf.ts';
import { createQuerySide } from '../src/service/query-side.ts';
import { deployedSettings } from '../src/settings/deployed-settings.ts';

const settings = deployedSettings(process.env);
const { store, view, queryTimeoutMs } = settings;

const metrics = new QueryMetrics({
  functionName: process.env.AWS_LAMBDA_FUNCTION_NAME ?? '',
  write: (line) => process.stdout.write(line),
});
const { doh, tokens, principals, connect } = createQuerySide(openQueryTable(store), settings, {
  queries: metrics,
  upstreamFailed: () => metrics.upstreamFailed(),
  registryReadFailed: () => metrics.registryReadFailed(),
});

await connect(AbortSignal.timeout(queryTimeoutMs));

const signed = doh(iamPrincipalCredentials(principals, view));
const unsigned = doh(tokenCredentials(nobody, tokens));

export const handler = metrics.around(dohHandler({ signed, unsigned }));
