import { openAdminTable } from '../src/registry/dynamodb-client.ts';
import { poolFigures } from '../src/registry/dynamodb-pools.ts';
import { poolMetrics } from '../src/service/metrics-emf.ts';
import { deployedSettings } from '../src/settings/deployed-settings.ts';

const TIMEOUT_MS = 10_000;

const { store } = deployedSettings(process.env);
const table = openAdminTable(store);

/** By schedule. */
export async function handler(): Promise<void> {
  const pools = await poolFigures(table, AbortSignal.timeout(TIMEOUT_MS));
  process.stdout.write(poolMetrics(process.env.AWS_LAMBDA_FUNCTION_NAME ?? '', Date.now(), pools) ?? '');
}
