import type { Command } from 'commander';
import type { ManifestDocument } from '../serviceentry/manifest.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { ADMIN_TIMEOUT_MS, type AdminClient, type ApplyTarget, withAdminClient } from './admin-client.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { CommandFailure, refusalText, reportFailure, reporting, ServerRefusal } from './failure.ts';
import { MAX_IN_FLIGHT } from './http-client.ts';
import { inOrder } from './in-order.ts';
import { type Io, processIo } from './io.ts';
import { type ManifestOptions, readManifests } from './manifest-files.ts';
import { formatSorted } from './object-output.ts';
import { DEFAULT_NAMESPACE, readTarget } from './target.ts';
import { type Change, externalDiff, unifiedDiff } from './unified-diff.ts';
import { verb } from './verb.ts';

interface DiffOptions extends ConnectionOptions, ManifestOptions {
  readonly namespace?: string;
}

type Result = { readonly ok: true; readonly change: Change } | { readonly ok: false; readonly problem: string };

/** As kubectl has it: 1 says that there are differences, so failures need another. */
const DIFFERENT = 1;
export const DIFF_FAILED = 2;

const placeOf = ({ source, index }: ManifestDocument): string => `${JSON.stringify(source)} (document ${index})`;

const fileOf = ({ version, namespace, name }: ApplyTarget): string =>
  `networking.istio.io.${version}.ServiceEntry.${namespace}.${name}`;

async function liveEntry(client: AdminClient, target: ApplyTarget): Promise<ServiceEntry | undefined> {
  const answer = await client.get(target);
  if (answer.ok)
    return { ...answer.value, apiVersion: `networking.istio.io/${target.version}` as ServiceEntry['apiVersion'] };
  if (answer.status.reason === 'NotFound') return undefined;
  throw new ServerRefusal(answer.status);
}

async function compare(client: AdminClient, document: ManifestDocument, { namespace }: DiffOptions): Promise<Result> {
  const read = readTarget(document, namespace);
  if (!read.ok) return { ok: false, problem: `error: cannot diff ${placeOf(document)}: ${read.problem}` };
  const live = await liveEntry(client, read.target);
  const merged = await client.apply(read.target, { dryRun: true });
  if (!merged.ok) return { ok: false, problem: refusalText(merged.status, `error when diffing ${placeOf(document)}`) };
  return {
    ok: true,
    change: { file: fileOf(read.target), live: live && formatSorted(live), merged: formatSorted(merged.value.entry) },
  };
}

async function show(changes: readonly Change[], io: Io): Promise<boolean> {
  const external = io.environment.KUBECTL_EXTERNAL_DIFF;
  if (external) return externalDiff(external, changes);
  io.stdout.write(changes.map((change) => unifiedDiff(change, io.hasColours)).join(''));
  return changes.some(({ live, merged }) => live !== merged);
}

async function diff(options: DiffOptions, io: Io): Promise<void> {
  const { documents, errors } = await readManifests(options, io);
  const problems = errors.map(({ message }) => `error: error parsing ${message}`);
  if (documents.length === 0 && errors.length === 0) throw new CommandFailure('no objects passed to diff');
  const changes: Change[] = [];
  await withAdminClient(await findConnection(options, io), async (client) => {
    const work = (document: ManifestDocument) => compare(client, document, options);
    for await (const result of inOrder(documents, MAX_IN_FLIGHT, work)) {
      if (result.ok) changes.push(result.change);
      else problems.push(result.problem);
    }
  });
  const isDifferent = await show(changes, io);
  if (isDifferent) io.setExitCode(DIFFERENT);
  for (const problem of problems) reportFailure(failingApart(io), problem);
}

/** What else ends a command with 1 is a failure. */
const failingApart = (io: Io): Io => ({ ...io, setExitCode: () => io.setExitCode(DIFF_FAILED) });

const EXAMPLES = `
KUBECTL_EXTERNAL_DIFF names a program, with options, that compares two folders instead.
Exit code 0: there is no difference; 1: there are differences; 2: something failed.

Examples:
  meshdoh diff -f external-auto.yaml
  meshdoh diff -R -f manifests/
  KUBECTL_EXTERNAL_DIFF="diff --color=always -u -N" meshdoh diff -f external-auto.yaml`;

export function diffCommand(io: Io = processIo()): Command {
  const command = verb('diff', io)
    .summary('show what apply would change')
    .description(
      'Shows the difference between the ServiceEntries in force and what applying the manifests would make of them, as the ' +
        'server judges it without changing anything.',
    )
    .requiredOption('-f, --filename <file...>', 'files and folders; - is standard input')
    .option('-R, --recursive', 'take the folders below a folder too')
    .option('-n, --namespace <namespace>', `of objects that name none (default: "${DEFAULT_NAMESPACE}")`)
    .action(reporting(failingApart(io), (options: DiffOptions) => diff(options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
