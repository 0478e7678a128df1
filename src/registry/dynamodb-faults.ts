import { RegistryUnavailableError } from './errors.ts';

/** Names of the SDK's errors after which the same call may succeed. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'AbortError',
  'TimeoutError',
  'InternalServerError',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
  'TransactionConflictException',
  'TransactionInProgressException',
]);

/** Node's codes of a connection that was never made, or broke. */
const NETWORK = /^(E(CONN|HOST|NET|PIPE|AI_)|ENOTFOUND|ETIMEDOUT|UND_ERR)/;

/**
 * Whether the store is out of reach or overloaded, rather than refusing the call for what it says.
 * A write that ends so may or may not be committed.
 */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (TRANSIENT.has(error.name)) return true;
  if ('code' in error && typeof error.code === 'string' && NETWORK.test(error.code)) return true;
  const metadata = '$metadata' in error ? (error.$metadata as { httpStatusCode?: number }) : undefined;
  return (metadata?.httpStatusCode ?? 0) >= 500;
}

/** What only the store could have kept from happening is told as such; a fault of ours is not. */
export async function orUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isTransient(error)) throw error;
    throw new RegistryUnavailableError('the store did not answer in time', { cause: error });
  }
}
