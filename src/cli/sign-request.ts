import aws4 from 'aws4';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
}

/** What a signature is good for. */
export interface SigningScope {
  readonly region: string;
  /** `execute-api` for API Gateway, `lambda` for a function's own URL. */
  readonly service: 'execute-api' | 'lambda';
}

export interface RequestToSign {
  readonly method: string;
  /** As the `Host` field will say. */
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  readonly contentType?: string;
  readonly body?: Uint8Array;
}

export interface SignedRequest {
  /** The target as it was signed, and has to be sent. */
  readonly target: string;
  /** To be sent with the request, all of them; others may join them. */
  readonly headers: Readonly<Record<string, string>>;
}

const ENDPOINTS = [
  { pattern: /\.execute-api\.([a-z\d-]+)\.amazonaws\.com(\.cn)?$/i, service: 'execute-api' },
  { pattern: /\.lambda-url\.([a-z\d-]+)\.on\.aws$/i, service: 'lambda' },
] as const;

/** The scope that the name of an AWS endpoint tells; a domain of one's own is API Gateway's, in `region`. */
export function signingScope(hostname: string, region: string | undefined): SigningScope | undefined {
  for (const { pattern, service } of ENDPOINTS) {
    const inName = pattern.exec(hostname)?.[1];
    if (inName !== undefined) return { region: region ?? inName, service };
  }
  return region === undefined ? undefined : { region, service: 'execute-api' };
}

/** Those of the environment, by the names that every AWS tool knows; undefined when they are not there. */
export function environmentCredentials(
  environment: Readonly<Record<string, string | undefined>>,
): AwsCredentials | undefined {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return undefined;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}),
  };
}

/** `20261124T014522Z`, as AWS Signature Version 4 dates a request. */
const timeStamp = (now: number): string => new Date(now).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');

/** Signs a request by AWS Signature Version 4; `now` is in milliseconds since the epoch. */
export function signRequest(
  { method, host, target, contentType = 'application/octet-stream', body }: RequestToSign,
  scope: SigningScope,
  credentials: AwsCredentials,
  now: number,
): SignedRequest {
  const signed = aws4.sign(
    {
      ...scope,
      method,
      host,
      path: target,
      headers: { 'X-Amz-Date': timeStamp(now), ...(body ? { 'Content-Type': contentType } : {}) },
      ...(body ? { body: Buffer.from(body) } : {}),
    },
    credentials,
  );
  const headers = Object.entries(signed.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return { target: signed.path ?? target, headers: Object.fromEntries(headers) };
}
