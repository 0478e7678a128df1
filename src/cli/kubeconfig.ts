import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { ADMIN_TIMEOUT_MS } from './admin-client.ts';
import { addConnectionOptions, type Connection, type ConnectionOptions, findConnection } from './connection.ts';
import { CommandFailure, reporting } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { SERVER_FILE, TOKEN_FILE } from './state-folder.ts';
import { DEFAULT_NAMESPACE, nameProblem } from './target.ts';
import { readTextFile } from './text-file.ts';
import { verb } from './verb.ts';

interface KubeconfigOptions extends ConnectionOptions {
  readonly namespace?: string;
}

/** What kubectl has to know of a server. */
export interface Kubeconfig {
  readonly server: string;
  /** PEM of the authorities to trust. */
  readonly ca?: string;
  /** Absolute; kubectl reads it for each command, so that the token stands in one place. */
  readonly tokenFile?: string;
  readonly namespace: string;
}

const NAME = 'meshdoh';

const formatKubeconfig = ({ server, ca, tokenFile, namespace }: Kubeconfig): string =>
  stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: NAME,
          cluster: {
            server,
            ...(ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
          },
        },
      ],
      users: [{ name: NAME, user: tokenFile === undefined ? {} : { tokenFile } }],
      contexts: [{ name: NAME, context: { cluster: NAME, user: NAME, namespace } }],
      'current-context': NAME,
    },
    { lineWidth: 0 },
  );

/** Where the server of this folder speaks TLS, which kubectl wants, and who vouches for it. */
async function secureEndpoint(io: Io): Promise<Pick<Kubeconfig, 'server' | 'ca'> | undefined> {
  const { https, ca } = JSON.parse(await readTextFile(join(io.cwd, SERVER_FILE), SERVER_FILE));
  if (typeof https !== 'string' || typeof ca !== 'string') return undefined;
  return { server: https, ca: await readTextFile(ca, ca) };
}

/** The base of paths: kubectl adds its own slash. */
const withoutSlash = ({ href }: URL): string => href.replace(/\/$/, '');

async function endpointOf({ origin, url, ca }: Connection, io: Io): Promise<Pick<Kubeconfig, 'server' | 'ca'>> {
  const secure = origin === SERVER_FILE ? await secureEndpoint(io) : undefined;
  return secure ?? { server: withoutSlash(url), ...(ca === undefined ? {} : { ca }) };
}

/** The file that the credential was read from. */
const tokenFileOf = ({ tokenFile }: ConnectionOptions, { cwd, environment }: Io): string =>
  resolve(cwd, tokenFile ?? (environment.MESHDOH_TOKEN_FILE || TOKEN_FILE));

const whoSigns = ({ url }: Connection): string =>
  `kubectl does not sign: run "meshdoh proxy --server ${withoutSlash(url)}", which does, and name the proxy with --server`;

async function kubeconfig(options: KubeconfigOptions, io: Io): Promise<void> {
  const namespace = options.namespace ?? DEFAULT_NAMESPACE;
  const problem = nameProblem('namespace', namespace);
  if (problem) throw new CommandFailure(problem);
  const connection = await findConnection(options, io);
  if (connection.signer) throw new CommandFailure(whoSigns(connection));
  const endpoint = await endpointOf(connection, io);
  const user = connection.credential ? { tokenFile: tokenFileOf(options, io) } : {};
  io.stdout.write(formatKubeconfig({ ...endpoint, ...user, namespace }));
}

const EXAMPLES = `
The token itself is not printed: kubectl reads its file.

Examples:
  meshdoh kubeconfig > kubeconfig && kubectl --kubeconfig kubeconfig get se -A
  kubectl --kubeconfig <(meshdoh kubeconfig) get se -A
  meshdoh kubeconfig --server https://dns.example.org --token-file admin-token`;

export function kubeconfigCommand(io: Io = processIo()): Command {
  const command = verb('kubeconfig', io)
    .summary('print a kubeconfig, to use kubectl with this server')
    .description('Prints the file by which kubectl finds the ServiceEntry API and its credential.')
    .option('-n, --namespace <namespace>', `that kubectl uses where it is given none (default: "${DEFAULT_NAMESPACE}")`)
    .action(reporting(io, (options: KubeconfigOptions) => kubeconfig(options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
