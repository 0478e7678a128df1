import { buffer } from 'node:stream/consumers';
import type { Authorize } from '../forward/upstream.ts';
import { requestOnce } from './http-request.ts';
import { signatureV4 } from './signature-v4.ts';

/** Of a role, for some hours. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** There is nothing to sign with. */
export class ShimCredentialsError extends Error {
  override readonly name = 'ShimCredentialsError';
}

export interface InstanceMetadataOptions {
  /** `http://169.254.169.254` by default. */
  readonly endpoint?: string | undefined;
  readonly now?: () => number;
}

const METADATA = 'http://169.254.169.254';
const TIMEOUT_MS = 1_000;
const SESSION_SECONDS = 300;
const MOST_OCTETS = 65_536;

/** The instance metadata service of EC2, version 2: with a session token, which a forged request cannot get. */
export class InstanceMetadata {
  readonly #endpoint: string;

  constructor(endpoint: string = METADATA) {
    this.#endpoint = endpoint;
  }

  /** @throws ShimCredentialsError */
  async credentials(): Promise<AwsCredentials> {
    const session = await this.#session();
    const folder = '/latest/meta-data/iam/security-credentials/';
    const role = (await this.#get(folder, session)).trim().split('\n')[0] ?? '';
    if (!/^[\w+=,.@-]{1,128}$/.test(role)) throw new ShimCredentialsError('this instance has no role');
    return parseCredentials(await this.#get(folder + role, session));
  }

  async region(): Promise<string> {
    return (await this.#get('/latest/meta-data/placement/region', await this.#session())).trim();
  }

  #session(): Promise<string> {
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': String(SESSION_SECONDS) };
    return this.#ask('PUT', '/latest/api/token', headers);
  }

  #get(path: string, session: string): Promise<string> {
    return this.#ask('GET', path, { 'x-aws-ec2-metadata-token': session });
  }

  async #ask(method: string, path: string, headers: Readonly<Record<string, string>>): Promise<string> {
    try {
      return await fetchText(this.#endpoint + path, method, headers);
    } catch (error) {
      const { message } = error as Error;
      throw new ShimCredentialsError(`metadata service, ${method} ${path}: ${message}`, { cause: error });
    }
  }
}

async function fetchText(url: string, method: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const response = await requestOnce(new URL(url), { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (Number(response.headers['content-length']) > MOST_OCTETS) response.destroy(new Error('too long an answer'));
  const body = await buffer(response);
  if (response.statusCode !== 200) throw new Error(`HTTP status ${response.statusCode}`);
  return body.toString();
}

function parseCredentials(text: string): AwsCredentials {
  let fields: Readonly<Record<string, unknown>> = {};
  try {
    fields = JSON.parse(text);
  } catch (error) {
    throw new ShimCredentialsError('metadata service: the credentials are not JSON', { cause: error });
  }
  const [accessKeyId = '', secretAccessKey = '', sessionToken = '', expiration = ''] = CREDENTIAL_FIELDS.map((name) =>
    String(fields[name] ?? ''),
  );
  const expiresAt = Date.parse(expiration);
  if (accessKeyId === '' || secretAccessKey === '' || sessionToken === '' || Number.isNaN(expiresAt))
    throw new ShimCredentialsError('metadata service: the credentials lack fields');
  return { accessKeyId, secretAccessKey, sessionToken, expiresAt };
}

const CREDENTIAL_FIELDS = ['AccessKeyId', 'SecretAccessKey', 'Token', 'Expiration'];

export interface RoleCredentialsPorts {
  readonly fetch: () => Promise<AwsCredentials>;
  readonly failed: (error: unknown) => void;
  readonly now?: () => number;
}

/** The service has new ones five minutes before the old ones end. */
const RENEW_BEFORE_MS = 5 * 60_000;
const RETRY_MS = 10_000;
const LONGEST_WAIT_MS = 3_600_000;

/** Credentials that are there when a request is signed: they are renewed ahead of their end. */
export class RoleCredentials {
  readonly #ports: RoleCredentialsPorts;
  readonly #now: () => number;
  #current: AwsCredentials | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #failing = false;

  constructor(ports: RoleCredentialsPorts) {
    this.#ports = ports;
    this.#now = ports.now ?? Date.now;
  }

  /** @throws ShimCredentialsError when there are none, or none that are still good. */
  get current(): AwsCredentials {
    if (this.#current === undefined) throw new ShimCredentialsError('no credentials from the metadata service yet');
    if (this.#now() < this.#current.expiresAt) return this.#current;
    throw new ShimCredentialsError('the credentials of the instance have ended, and there are no new ones');
  }

  /** Gets them, and keeps them fresh until `close`. Never rejects: without credentials requests fail, and it is retried. */
  async renew(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      this.#current = await this.#ports.fetch();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#ports.failed(error);
      this.#failing = true;
    }
    if (!this.#closed) this.#timer = setTimeout(() => void this.renew(), this.#waitMs()).unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #waitMs(): number {
    const left = (this.#current?.expiresAt ?? 0) - this.#now() - RENEW_BEFORE_MS;
    return this.#failing ? RETRY_MS : Math.min(Math.max(left, RETRY_MS), LONGEST_WAIT_MS);
  }
}

/** API Gateway, or the URL of a function. */
const AWS_HOST = /\.(?<service>execute-api|lambda-url)\.(?<region>[a-z0-9-]+)\.(?:amazonaws\.com|on\.aws)(?:\.cn)?$/;

/** The region in the host name of an endpoint on AWS. */
export const regionOf = (host: string): string | undefined => AWS_HOST.exec(host)?.groups?.region;

/** Signs each request (SigV4); `credentials` are asked for every one. */
export function signWith(credentials: () => AwsCredentials, region: string): Authorize {
  return (request) => {
    const service = AWS_HOST.exec(request.url.hostname)?.groups?.service === 'lambda-url' ? 'lambda' : 'execute-api';
    return { headers: signatureV4(request, { region, service }, credentials(), new Date()) };
  };
}
