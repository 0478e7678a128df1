import { CommandFailure } from './failure.ts';
import { type AwsCredentials, environmentCredentials } from './sign-request.ts';

const REMEDY =
  'set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary ones ' +
  '("aws configure export-credentials --format env" prints them)';

/** As the AWS SDK finds them: profiles, single sign-on, web identities, the role of a machine. Most commands never need it. */
async function openProviderChain(): Promise<() => Promise<AwsCredentials>> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  return defaultProvider();
}

/**
 * Where every AWS tool looks for credentials; asked before each request, because temporary ones change.
 * @throws CommandFailure when there are none.
 */
export function awsCredentials(
  environment: Readonly<Record<string, string | undefined>>,
): () => Promise<AwsCredentials> {
  let chain: ReturnType<typeof openProviderChain> | undefined;
  return async () => {
    const ofEnvironment = environment.AWS_PROFILE ? undefined : environmentCredentials(environment);
    if (ofEnvironment) return ofEnvironment;
    try {
      chain ??= openProviderChain();
      return await (await chain)();
    } catch (cause) {
      throw new CommandFailure(`no AWS credentials: ${(cause as Error).message}: ${REMEDY}`, { cause });
    }
  };
}
