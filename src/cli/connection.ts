import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { isLoopback } from '../dns/loopback.ts';
import { duration, durationText } from '../settings/duration.ts';
import { awsCredentials } from './aws-credentials.ts';
import { CommandFailure } from './failure.ts';
import type { Io } from './io.ts';
import { type AwsCredentials, type SigningScope, signingScope } from './sign-request.ts';
import { SERVER_FILE, TOKEN, TOKEN_FILE } from './state-folder.ts';
import { readTextFile, readTextFileIfPresent } from './text-file.ts';

export interface ConnectionOptions {
  readonly server?: string;
  readonly cacert?: string;
  readonly tokenFile?: string;
  readonly auth?: 'token' | 'iam';
  readonly region?: string;
  readonly requestTimeout: number;
}

export interface Credential {
  readonly token: string;
  /** Where the token was found; the token itself is never shown. */
  readonly origin: string;
}

/** Signs each request by AWS Signature Version 4, for a deployment behind IAM. */
export interface Signer {
  readonly scope: SigningScope;
  readonly credentials: () => Promise<AwsCredentials>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** How a command reaches its server. */
export interface Connection {
  readonly url: URL;
  /** What named the server. */
  readonly origin: string;
  /** PEM of the authorities to trust instead of the usual ones. */
  readonly ca?: string;
  readonly credential?: Credential;
  /** Instead of a credential of its own. */
  readonly signer?: Signer;
  readonly timeoutMs: number;
}

const HOW_TO_NAME = 'start one with "meshdoh start", or name one with --server or MESHDOH_SERVER';

function readTimeout(text: string): number {
  const reading = duration(/^\d+$/.test(text) ? `${text}s` : text);
  if (!reading.ok || reading.value === 0) {
    throw new InvalidArgumentError('It takes a duration such as 10s, 500ms or 1m.');
  }
  return reading.value;
}

/** The options by which every verb finds its server. */
export function addConnectionOptions(command: Command, defaultTimeoutMs: number): Command {
  return command
    .optionsGroup('Server:')
    .option('--server <url>', `its URL (default: MESHDOH_SERVER, else the server started in this folder)`)
    .option('--cacert <file>', 'trust the certificate authority in this PEM file')
    .option('--token-file <file>', `the file that holds the token (default: MESHDOH_TOKEN_FILE, else ${TOKEN_FILE})`)
    .addOption(
      new Option('--auth <how>', 'by a token, or by a signature with AWS credentials').choices(['token', 'iam']),
    )
    .option('--region <region>', 'with --auth iam: its AWS Region (default: what its name says, else AWS_REGION)')
    .addOption(
      command
        .createOption('--request-timeout <duration>', 'how long to wait for one answer')
        .argParser(readTimeout)
        .default(defaultTimeoutMs, durationText(defaultTimeoutMs)),
    );
}

/** @throws CommandFailure where no server is named, or what is named cannot be used. */
export async function findConnection(options: ConnectionOptions, io: Io): Promise<Connection> {
  const server = await findServer(options, io);
  if (!server) throw new CommandFailure(`no meshdoh server: ${HOW_TO_NAME}`);
  const ca = options.cacert === undefined ? undefined : await readAuthorities(options.cacert, io);
  const shared = { ...server, timeoutMs: options.requestTimeout, ...(ca === undefined ? {} : { ca }) };
  if (options.auth === 'iam') return { ...shared, signer: signerFor(server, options, io) };
  const credential = await findCredential(options, io);
  warnOfPlainToken(server, credential, io);
  return { ...shared, ...(credential === undefined ? {} : { credential }) };
}

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

function signerFor({ url, origin }: Server, { region, tokenFile }: ConnectionOptions, io: Io): Signer {
  if (tokenFile !== undefined) throw new CommandFailure('--auth iam and --token-file exclude each other');
  if (url.protocol !== 'https:' && !isLoopback(hostOf(url))) {
    throw new CommandFailure(`${origin} is "${url.href}": signed requests go over https:// only`);
  }
  const { AWS_REGION, AWS_DEFAULT_REGION } = io.environment;
  const scope = signingScope(url.hostname, region ?? (AWS_REGION || AWS_DEFAULT_REGION || undefined));
  if (!scope) throw new CommandFailure(`${url.hostname} does not name its AWS Region: set --region or AWS_REGION`);
  return { scope, credentials: awsCredentials(io.environment), now: io.now };
}

type Server = Pick<Connection, 'url' | 'origin'>;

/** What names a server, if anything does: an option, the environment, or a server running in this folder. */
export async function findServer({ server }: ConnectionOptions, io: Io): Promise<Server | undefined> {
  if (server !== undefined) return { url: serverUrl(server, '--server'), origin: '--server' };
  const named = io.environment.MESHDOH_SERVER;
  if (named) return { url: serverUrl(named, 'MESHDOH_SERVER'), origin: 'MESHDOH_SERVER' };
  return startedServer(io);
}

function serverUrl(text: string, origin: string): URL {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new CommandFailure(`${origin} is "${text}": it takes a URL that begins with http:// or https://`);
  }
  // The text is not repeated: it may hold a password.
  if (url.username || url.password) throw new CommandFailure(`${origin} holds credentials: use --token-file`);
  if (url.search || url.hash) throw new CommandFailure(`${origin} is "${text}": it takes a URL without "?" and "#"`);
  return url;
}

async function startedServer({ cwd }: Io): Promise<Server | undefined> {
  const text = await readTextFileIfPresent(join(cwd, SERVER_FILE), SERVER_FILE);
  if (text === undefined) return undefined;
  const { pid, http } = parseServerFile(text);
  if (!isRunning(pid)) {
    throw new CommandFailure(`the server that ${SERVER_FILE} names (process ${pid}) is gone: ${HOW_TO_NAME}`);
  }
  return { url: serverUrl(http, SERVER_FILE), origin: SERVER_FILE };
}

function parseServerFile(text: string): { pid: number; http: string } {
  try {
    const { pid, http } = JSON.parse(text);
    if (Number.isInteger(pid) && pid > 0 && typeof http === 'string') return { pid, http };
  } catch {
    // Told below: whatever is wrong with it, the remedy is the same.
  }
  throw new CommandFailure(`${SERVER_FILE} is damaged: remove it, and ${HOW_TO_NAME}`);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It runs as somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function readAuthorities(file: string, io: Io): Promise<string> {
  const text = await readTextFile(resolve(io.cwd, file), `${file} (--cacert)`);
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new CommandFailure(`${file} (--cacert) holds no certificate in PEM`);
  }
  return text;
}

async function findCredential({ tokenFile }: ConnectionOptions, io: Io): Promise<Credential | undefined> {
  const named = tokenFile ?? (io.environment.MESHDOH_TOKEN_FILE || undefined);
  if (named !== undefined) {
    const origin = `${named} (${tokenFile === undefined ? 'MESHDOH_TOKEN_FILE' : '--token-file'})`;
    return credentialOf(await readTextFile(resolve(io.cwd, named), origin), origin);
  }
  const text = await readTextFileIfPresent(join(io.cwd, TOKEN_FILE), TOKEN_FILE);
  return text === undefined ? undefined : credentialOf(text, TOKEN_FILE);
}

function credentialOf(text: string, origin: string): Credential {
  const token = text.trim();
  if (!TOKEN.test(token))
    throw new CommandFailure(`${origin} holds no token: one line of letters, digits and "-._~+/="`);
  return { token, origin };
}

function warnOfPlainToken({ url, origin }: Server, credential: Credential | undefined, io: Io): void {
  const isHere = origin === SERVER_FILE || isLoopback(hostOf(url));
  if (!credential || url.protocol === 'https:' || isHere) return;
  io.stderr.write(`Warning: the token goes to ${url.origin} unencrypted: use https://\n`);
}
