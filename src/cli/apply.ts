import { type Command, Option } from 'commander';
import { invalidObject } from '../http/status.ts';
import type { ManifestDocument } from '../serviceentry/manifest.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { validateServiceEntry } from '../serviceentry/validate.ts';
import { ADMIN_TIMEOUT_MS, type AdminClient, type Applied, type ApplyTarget, withAdminClient } from './admin-client.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection, findServer } from './connection.ts';
import { DRY_RUN_SUFFIX, type DryRun, dryRunOption } from './dry-run.ts';
import { CommandFailure, refusalText, reportFailure, reporting, ServerRefusal, statusText } from './failure.ts';
import { MAX_IN_FLIGHT } from './http-client.ts';
import { inOrder, oneByOne } from './in-order.ts';
import { type Io, processIo } from './io.ts';
import { type ManifestOptions, readManifests } from './manifest-files.ts';
import { formatObject, formatObjects, OBJECT_FORMATS, type ObjectFormat, qualifiedName } from './object-output.ts';
import { printable } from './printable.ts';
import { createProgress } from './progress.ts';
import { DEFAULT_NAMESPACE, readTarget, type TargetRead } from './target.ts';
import { verb } from './verb.ts';

interface ApplyOptions extends ConnectionOptions, ManifestOptions {
  readonly namespace?: string;
  readonly dryRun: DryRun;
  readonly output?: ObjectFormat;
}

interface Task {
  readonly document: ManifestDocument;
  readonly read: TargetRead;
}

/** What became of one object. */
type Result = { readonly warnings: readonly string[] } & (
  | { readonly ok: true; readonly outcome: Applied['outcome']; readonly entry: ServiceEntry }
  | { readonly ok: false; readonly problem: string }
);

/** Applies one object, or tells what applying it would do; `place` is where it was read. */
type Applier = (target: ApplyTarget, place: string) => Promise<Result>;

const applierAt =
  (client: AdminClient, dryRun: boolean): Applier =>
  async (target, place) => {
    const answer = await client.apply(target, { dryRun });
    if (answer.ok) return { ok: true, warnings: answer.warnings, ...answer.value };
    return { ...answer, problem: refusalText(answer.status, `error when applying ${place}`) };
  };

/** Judges here, by the server's own rules for one object; `exists` tells created from configured. */
const judge =
  (exists: (target: ApplyTarget) => Promise<boolean>): Applier =>
  async (target, place) => {
    const { namespace, name, value } = target;
    const judged = validateServiceEntry(value, { defaultNamespace: namespace });
    if (!judged.ok) {
      const problem = `error: error validating ${place}: ${statusText(invalidObject(name, judged.errors))}`;
      return { ok: false, warnings: [], problem };
    }
    const outcome = (await exists(target)) ? 'configured' : 'created';
    return { ok: true, warnings: judged.warnings, outcome, entry: judged.entry };
  };

const existsAt =
  (client: AdminClient) =>
  async (target: ApplyTarget): Promise<boolean> => {
    const answer = await client.get(target);
    if (answer.ok || answer.status.reason === 'NotFound') return answer.ok;
    throw new ServerRefusal(answer.status);
  };

const placeOf = ({ source, index }: ManifestDocument): string => `${JSON.stringify(source)} (document ${index})`;

/** Two objects that meet are applied in the order they are written in: which one wins must not be left to chance. */
function keysOf({ read }: Task): string[] {
  if (!read.ok) return [];
  const { namespace, name, value } = read.target;
  const { spec } = value as { readonly spec?: { readonly hosts?: unknown } | null };
  const hosts = Array.isArray(spec?.hosts) ? spec.hosts : [];
  return [`${namespace}/${name}`, ...hosts.map(String)];
}

function print({ dryRun, output }: ApplyOptions, result: Result, io: Io): void {
  for (const warning of result.warnings) io.stderr.write(`Warning: ${printable(warning)}\n`);
  if (!result.ok) reportFailure(io, result.problem);
  else if (output === 'name') io.stdout.write(formatObject(result.entry, 'name'));
  else if (output === undefined) {
    io.stdout.write(`${qualifiedName(result.entry.metadata.name)} ${result.outcome}${DRY_RUN_SUFFIX[dryRun]}\n`);
  }
}

async function applyAll(tasks: readonly Task[], applier: Applier, options: ApplyOptions, io: Io): Promise<void> {
  const progress = createProgress('applied', tasks.length, io);
  const applied: ServiceEntry[] = [];
  const work = oneByOne(keysOf, async ({ document, read }: Task): Promise<Result> => {
    const place = placeOf(document);
    if (read.ok) return applier(read.target, place);
    return { ok: false, warnings: [], problem: `error: cannot apply ${place}: ${read.problem}` };
  });
  try {
    for await (const result of inOrder(tasks, MAX_IN_FLIGHT, work)) {
      progress.clear();
      print(options, result, io);
      if (result.ok) applied.push(result.entry);
      progress.step();
    }
  } finally {
    progress.clear();
  }
  printObjects(applied, options, io);
}

function printObjects(applied: readonly ServiceEntry[], { output }: ApplyOptions, io: Io): void {
  const [first, second] = applied;
  if (!first || output === undefined || output === 'name') return;
  io.stdout.write(second ? formatObjects(applied, output) : formatObject(first, output));
}

async function apply(options: ApplyOptions, io: Io): Promise<void> {
  const { documents, errors } = await readManifests(options, io);
  for (const { message } of errors) reportFailure(io, `error: error parsing ${message}`);
  if (documents.length === 0 && errors.length === 0) throw new CommandFailure('no objects passed to apply');
  const tasks = documents.map((document) => ({ document, read: readTarget(document, options.namespace) }));
  const { dryRun } = options;
  if (dryRun === 'client' && !(await findServer(options, io))) {
    return applyAll(
      tasks,
      judge(async () => false),
      options,
      io,
    );
  }
  await withAdminClient(await findConnection(options, io), (client) => {
    const applier = dryRun === 'client' ? judge(existsAt(client)) : applierAt(client, dryRun === 'server');
    return applyAll(tasks, applier, options, io);
  });
}

const EXAMPLES = `
Examples:
  meshdoh apply -f external-auto.yaml
  meshdoh apply -R -f manifests/ --dry-run=server
  kubectl get serviceentry -A -o yaml | meshdoh apply -f -`;

export function applyCommand(io: Io = processIo()): Command {
  const command = verb('apply', io)
    .summary('create or change ServiceEntries from manifests')
    .description('Creates or changes the ServiceEntries of YAML or JSON manifests. One that is refused stops no other.')
    .requiredOption('-f, --filename <file...>', 'files and folders; - is standard input')
    .option('-R, --recursive', 'take the folders below a folder too')
    .option('-n, --namespace <namespace>', `of objects that name none (default: "${DEFAULT_NAMESPACE}")`)
    .addOption(dryRunOption())
    .addOption(new Option('-o, --output <format>', 'what to print of each').choices(OBJECT_FORMATS))
    .action(reporting(io, (options: ApplyOptions) => apply(options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
