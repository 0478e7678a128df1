import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { isLoopback } from '../dns/loopback.ts';
import { awsCredentials } from './aws-credentials.ts';
import { findServer } from './connection.ts';
import { CommandFailure, reporting } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { openAt } from './listen-failure.ts';
import { untilStopped } from './run-until-stopped.ts';
import { signingScope } from './sign-request.ts';
import { startSigningProxy } from './signing-proxy.ts';
import { readTextFile } from './text-file.ts';
import { verb } from './verb.ts';

interface ProxyOptions {
  readonly server?: string;
  readonly cacert?: string;
  readonly region?: string;
  readonly port: number;
}

const DEFAULT_PORT = 8001;

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 65_536;
  if (port > 65_535) throw new InvalidArgumentError('It takes a port from 0 to 65535.');
  return port;
}

async function serverUrl(options: ProxyOptions, io: Io): Promise<URL> {
  const server = await findServer({ ...options, requestTimeout: 0 }, io);
  if (!server) throw new CommandFailure('no meshdoh server: name one with --server or MESHDOH_SERVER');
  const { url, origin } = server;
  if (url.protocol === 'https:' || isLoopback(url.hostname.replace(/^\[|\]$/g, ''))) return url;
  throw new CommandFailure(`${origin} is "${url.href}": signed requests go over https:// only`);
}

/** @param stopped settles when the proxy is to end. */
async function proxy(options: ProxyOptions, io: Io, stopped: () => Promise<void>): Promise<void> {
  const { AWS_REGION, AWS_DEFAULT_REGION } = io.environment;
  const server = await serverUrl(options, io);
  const scope = signingScope(server.hostname, options.region ?? (AWS_REGION || AWS_DEFAULT_REGION || undefined));
  if (!scope) throw new CommandFailure(`${server.hostname} does not name its AWS Region: set --region or AWS_REGION`);
  const credentials = awsCredentials(io.environment);
  // Whoever has none is told now, and not by each request.
  await credentials();
  const { cacert } = options;
  const ca = cacert === undefined ? {} : { ca: await readTextFile(resolve(io.cwd, cacert), `${cacert} (--cacert)`) };
  const listening = await openAt('--port', { host: '127.0.0.1', port: options.port }, ({ port }) =>
    startSigningProxy({ server, ...ca, scope, credentials, port, now: io.now }),
  );
  const url = `http://127.0.0.1:${listening.port}`;
  io.stdout.write(`signs for ${server.href} on ${url}

  meshdoh kubeconfig --server ${url} > kubeconfig && kubectl --kubeconfig kubeconfig get se -A

Ctrl-C stops it.
`);
  await stopped();
  await listening.close();
}

const EXAMPLES = `
Who uses the proxy acts as the owner of the credentials: it listens on loopback, and answers no web page.

Examples:
  meshdoh proxy --server https://abc123.execute-api.eu-central-1.amazonaws.com
  AWS_PROFILE=ops meshdoh proxy --server https://dns.example.org --region eu-central-1 --port 8002`;

export function proxyCommand(io: Io = processIo(), stopped = untilStopped): Command {
  return verb('proxy', io)
    .summary('sign requests to a deployment that asks for IAM, for kubectl and others')
    .description(
      'Listens on loopback, and sends requests on to a server with a signature by AWS credentials: those of the ' +
        'environment, a profile, single sign-on, or the role of the machine.',
    )
    .option('--server <url>', 'its URL (default: MESHDOH_SERVER)')
    .option('--cacert <file>', 'trust the certificate authority in this PEM file')
    .option('--region <region>', 'its AWS Region (default: what its name says, else AWS_REGION)')
    .option('--port <port>', 'where to listen on 127.0.0.1; 0 lets the system choose', readPort, DEFAULT_PORT)
    .action(reporting(io, (options: ProxyOptions) => proxy(options, io, stopped)))
    .addHelpText('after', EXAMPLES);
}
