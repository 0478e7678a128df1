import { type Command, Option } from 'commander';
import { GROUP } from '../http/status.ts';
import { ADMIN_TIMEOUT_MS, type AdminClient, type Answered, type EntryKey, withAdminClient } from './admin-client.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { DRY_RUN_SUFFIX, type DryRun, dryRunOption } from './dry-run.ts';
import { CommandFailure, refusalText, reportFailure, reporting } from './failure.ts';
import { MAX_IN_FLIGHT } from './http-client.ts';
import { inOrder } from './in-order.ts';
import { type Io, processIo } from './io.ts';
import { readManifests } from './manifest-files.ts';
import { qualifiedName } from './object-output.ts';
import { createProgress } from './progress.ts';
import { readNames, readNamespace } from './resource-names.ts';
import { readSelector, selectorOption } from './selector.ts';
import { DEFAULT_NAMESPACE, readTarget } from './target.ts';
import { verb } from './verb.ts';

/** An entry to delete; with its uid, where it is known which one is meant. */
interface Doomed extends EntryKey {
  readonly uid?: string | undefined;
}

interface DeleteOptions extends ConnectionOptions {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly all?: boolean;
  readonly output?: 'name';
  readonly ignoreNotFound?: boolean;
  readonly dryRun: DryRun;
}

/** The entries that manifests are about; objects that are none are reported, and stop nothing. */
async function keysInManifests(filename: readonly string[], options: DeleteOptions, io: Io): Promise<EntryKey[]> {
  const { recursive = false, namespace } = options;
  const { documents, errors } = await readManifests({ filename, recursive }, io);
  for (const { message } of errors) reportFailure(io, `error: error parsing ${message}`);
  if (documents.length === 0 && errors.length === 0) throw new CommandFailure('no objects passed to delete');
  return documents.flatMap((document) => {
    const read = readTarget(document, namespace);
    if (read.ok) return [read.target];
    const { source, index } = document;
    reportFailure(io, `error: cannot delete ${JSON.stringify(source)} (document ${index}): ${read.problem}`);
    return [];
  });
}

/** Exactly one way to say what is meant: with two, one of them would delete more than the other says. */
function checkWays(names: readonly string[], { filename, selector, all }: DeleteOptions): void {
  const ways = [names.length > 0, filename !== undefined, selector !== undefined, all === true];
  const given = ways.filter(Boolean).length;
  if (given > 1) throw new CommandFailure('names, -f, --selector and --all exclude each other');
  if (given === 0)
    throw new CommandFailure('nothing to delete is named: give names of entries, -f, --selector or --all');
}

async function listed(client: AdminClient, options: DeleteOptions): Promise<Doomed[]> {
  const { selector, allNamespaces, namespace } = options;
  const flags = { selector: selector === undefined ? undefined : readSelector(selector) };
  const entries = await client.list(allNamespaces ? undefined : readNamespace(namespace), flags);
  return entries.map(({ metadata }) => ({ namespace: metadata.namespace, name: metadata.name, uid: metadata.uid }));
}

const deleteOne = (client: AdminClient, { uid, ...key }: Doomed, dryRun: DryRun): Promise<Answered<unknown>> =>
  dryRun === 'client' ? client.get(key) : client.delete(key, { dryRun: dryRun === 'server', uid });

async function deleteAll(client: AdminClient, keys: readonly Doomed[], options: DeleteOptions, io: Io): Promise<void> {
  const { dryRun, output, ignoreNotFound = options.all } = options;
  const progress = createProgress('deleted', keys.length, io);
  const work = async (key: Doomed) => ({ key, answer: await deleteOne(client, key, dryRun) });
  const said = (name: string) => (output === 'name' ? qualifiedName(name) : `serviceentry.${GROUP} "${name}" deleted`);
  for await (const { key, answer } of inOrder(keys, MAX_IN_FLIGHT, work)) {
    progress.clear();
    if (answer.ok) io.stdout.write(`${said(key.name)}${output === 'name' ? '' : DRY_RUN_SUFFIX[dryRun]}\n`);
    else if (answer.status.reason !== 'NotFound' || !ignoreNotFound) reportFailure(io, refusalText(answer.status));
    progress.step();
  }
  progress.clear();
}

async function deleteEntries(words: readonly string[], options: DeleteOptions, io: Io): Promise<void> {
  const names = readNames(words);
  checkWays(names, options);
  if (options.allNamespaces && names.length > 0)
    throw new CommandFailure('a resource cannot be named across all namespaces');
  const { filename } = options;
  const inManifests = filename === undefined ? [] : await keysInManifests(filename, options, io);
  const isListed = options.all === true || options.selector !== undefined;
  await withAdminClient(await findConnection(options, io), async (client) => {
    const namespace = readNamespace(options.namespace);
    const named = [...inManifests, ...names.map((name) => ({ namespace, name }))];
    const keys = isListed ? await listed(client, options) : named;
    if (isListed && keys.length === 0) io.stderr.write('No resources found\n');
    await deleteAll(client, keys, options, io);
  });
}

const EXAMPLES = `
Examples:
  meshdoh delete se external-auto
  meshdoh delete -f external-auto.yaml --ignore-not-found
  meshdoh delete se -n shop -l app=web
  meshdoh delete se -n shop --all --dry-run=server`;

export function deleteCommand(io: Io = processIo()): Command {
  const command = verb('delete', io)
    .summary('delete ServiceEntries')
    .description(
      'Deletes the ServiceEntries that are named, or those of manifests. ' +
        'Their virtual IPs stay reserved for the same hosts for a while.',
    )
    .argument('[names...]', 'the kind (se, serviceentry, serviceentries), which may be left out, and names')
    .option('-f, --filename <file...>', 'files and folders; - is standard input')
    .option('-R, --recursive', 'take the folders below a folder too')
    .option('-n, --namespace <namespace>', `the namespace (default: "${DEFAULT_NAMESPACE}")`)
    .option('-A, --all-namespaces', 'with --selector or --all: those of all namespaces')
    .addOption(selectorOption())
    .option('--all', 'all of the namespace')
    .option('--ignore-not-found', 'take it for a success if there is none')
    .addOption(dryRunOption())
    .addOption(new Option('-o, --output <format>', 'what to print of each').choices(['name']))
    .action(reporting(io, (words: string[], options: DeleteOptions) => deleteEntries(words, options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
