import type { Command } from 'commander';
import { GROUP } from '../http/status.ts';
import { ADMIN_TIMEOUT_MS, type AdminClient, type Answered, type EntryKey, withAdminClient } from './admin-client.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { DRY_RUN_SUFFIX, type DryRun, dryRunOption } from './dry-run.ts';
import { CommandFailure, refusalText, reportFailure, reporting } from './failure.ts';
import { MAX_IN_FLIGHT } from './http-client.ts';
import { inOrder } from './in-order.ts';
import { type Io, processIo } from './io.ts';
import { readManifests } from './manifest-files.ts';
import { readNames, readNamespace } from './resource-names.ts';
import { DEFAULT_NAMESPACE, readTarget } from './target.ts';
import { verb } from './verb.ts';

interface DeleteOptions extends ConnectionOptions {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly namespace?: string;
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

async function keysToDelete(words: readonly string[], options: DeleteOptions, io: Io): Promise<EntryKey[]> {
  if (options.filename !== undefined) {
    if (words.length > 0) throw new CommandFailure('names and -f exclude each other');
    return keysInManifests(options.filename, options, io);
  }
  const names = readNames(words);
  if (names.length === 0) throw new CommandFailure('nothing to delete is named: give names of entries, or -f');
  const namespace = readNamespace(options.namespace);
  return names.map((name) => ({ namespace, name }));
}

const deleteOne = (client: AdminClient, key: EntryKey, dryRun: DryRun): Promise<Answered<unknown>> =>
  dryRun === 'client' ? client.get(key) : client.delete(key, { dryRun: dryRun === 'server' });

async function deleteAll(
  client: AdminClient,
  keys: readonly EntryKey[],
  options: DeleteOptions,
  io: Io,
): Promise<void> {
  const { dryRun, ignoreNotFound } = options;
  const work = async (key: EntryKey) => ({ key, answer: await deleteOne(client, key, dryRun) });
  for await (const { key, answer } of inOrder(keys, MAX_IN_FLIGHT, work)) {
    if (answer.ok) io.stdout.write(`serviceentry.${GROUP} "${key.name}" deleted${DRY_RUN_SUFFIX[dryRun]}\n`);
    else if (answer.status.reason !== 'NotFound' || !ignoreNotFound) reportFailure(io, refusalText(answer.status));
  }
}

async function deleteEntries(words: readonly string[], options: DeleteOptions, io: Io): Promise<void> {
  const keys = await keysToDelete(words, options, io);
  await withAdminClient(await findConnection(options, io), (client) => deleteAll(client, keys, options, io));
}

const EXAMPLES = `
Examples:
  meshdoh delete se external-auto
  meshdoh delete -f external-auto.yaml --ignore-not-found`;

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
    .option('--ignore-not-found', 'take it for a success if there is none')
    .addOption(dryRunOption())
    .action(reporting(io, (words: string[], options: DeleteOptions) => deleteEntries(words, options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
