import { type Command, Option } from 'commander';
import { invalidObject } from '../http/status.ts';
import type { ManifestDocument } from '../serviceentry/manifest.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { validateServiceEntry } from '../serviceentry/validate.ts';
import { ADMIN_TIMEOUT_MS, type AdminClient, type Applied, type ApplyTarget, withAdminClient } from './admin-client.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection, findServer } from './connection.ts';
import { DRY_RUN_SUFFIX, type DryRun, dryRunOption } from './dry-run.ts';
import { CommandFailure, refusalText, reportFailure, reporting, ServerRefusal, statusText } from './failure.ts';
import { hostsInForce } from './hosts-in-force.ts';
import { MAX_IN_FLIGHT } from './http-client.ts';
import { inOrder, oneByOne } from './in-order.ts';
import { type Io, processIo } from './io.ts';
import { type ManifestOptions, readManifests } from './manifest-files.ts';
import { afterPreparation, type Claimant, type HostsInForce, orderMoves, type Step, widened } from './moves.ts';
import { formatObject, formatObjects, OBJECT_FORMATS, type ObjectFormat, qualifiedName } from './object-output.ts';
import { printable } from './printable.ts';
import { createProgress } from './progress.ts';
import { prune } from './prune.ts';
import { readSelector, type Selector, selectorOption } from './selector.ts';
import { DEFAULT_NAMESPACE, readTarget, type TargetRead } from './target.ts';
import { verb } from './verb.ts';

interface ApplyOptions extends ConnectionOptions, ManifestOptions {
  readonly namespace?: string;
  readonly dryRun: DryRun;
  readonly output?: ObjectFormat;
  readonly selector?: string;
  readonly prune?: boolean;
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

/** What no entry can be made of claims nothing, and has no key. */
function claimantOf(task: Task): Claimant<Task> {
  if (!task.read.ok) return { item: task, key: placeOf(task.document), hosts: [] };
  const { namespace, name, value } = task.read.target;
  const { spec } = value as { readonly spec?: { readonly hosts?: unknown } | null };
  const hosts = Array.isArray(spec?.hosts) ? spec.hosts.map(String) : [];
  return { item: task, key: `${namespace}/${name}`, hosts };
}

const targetsOf = (tasks: readonly Task[]): ApplyTarget[] =>
  tasks.flatMap(({ read }) => (read.ok ? [read.target] : []));

function print({ dryRun, output }: ApplyOptions, result: Result, io: Io): void {
  for (const warning of result.warnings) io.stderr.write(`Warning: ${printable(warning)}\n`);
  if (!result.ok) reportFailure(io, result.problem);
  else if (output === 'name') io.stdout.write(formatObject(result.entry, 'name'));
  else if (output === undefined) {
    io.stdout.write(`${qualifiedName(result.entry.metadata.name)} ${result.outcome}${DRY_RUN_SUFFIX[dryRun]}\n`);
  }
}

/** Carries out the steps of each object; a step that is not the end of its object gives no result. */
function stepper(applier: Applier): (step: Step<Task>) => Promise<Result | undefined> {
  const applied = new Set<Task>();
  const prepared = new Map<Task, ServiceEntry>();
  return async ({ item: task, keeps, isLast }) => {
    const { document, read } = task;
    const place = placeOf(document);
    if (!read.ok) return { ok: false, warnings: [], problem: `error: cannot apply ${place}: ${read.problem}` };
    if (applied.has(task)) return undefined;
    if (keeps.length > 0) {
      const result = await applier(widened(read.target, keeps), place);
      if (result.ok) prepared.set(task, result.entry);
      return undefined;
    }
    const result = await applier(afterPreparation(read.target, prepared.get(task)), place);
    if (result.ok) applied.add(task);
    return result.ok || isLast ? result : undefined;
  };
}

/** Whether all of them were. */
async function applyAll(
  tasks: readonly Task[],
  inForce: HostsInForce,
  applier: Applier,
  options: ApplyOptions,
  io: Io,
): Promise<boolean> {
  const progress = createProgress('applied', tasks.length, io);
  const applied: ServiceEntry[] = [];
  const steps = orderMoves(tasks.map(claimantOf), inForce);
  // Two objects that meet are applied one after the other: which one wins must not be left to chance.
  const work = oneByOne(({ meets }) => meets, stepper(applier));
  try {
    for await (const result of inOrder(steps, MAX_IN_FLIGHT, work)) {
      if (!result) continue;
      progress.clear();
      print(options, result, io);
      if (result.ok) applied.push(result.entry);
      progress.step();
    }
  } finally {
    progress.clear();
  }
  printObjects(applied, options, io);
  return applied.length === tasks.length;
}

function printObjects(applied: readonly ServiceEntry[], { output }: ApplyOptions, io: Io): void {
  const [first, second] = applied;
  if (!first || output === undefined || output === 'name') return;
  io.stdout.write(second ? formatObjects(applied, output) : formatObject(first, output));
}

/** What cannot be told to be left out is not: it is reported. */
function isSelected({ read }: Task, selector: Selector | undefined): boolean {
  if (!selector || !read.ok) return true;
  const { metadata } = read.target.value as { readonly metadata?: { readonly labels?: unknown } };
  const labels = metadata?.labels;
  return selector.matches(typeof labels === 'object' && labels !== null ? (labels as Record<string, string>) : {});
}

function selectorOf({ selector, prune: pruning }: ApplyOptions): Selector | undefined {
  if (selector !== undefined) return readSelector(selector);
  if (!pruning) return undefined;
  throw new CommandFailure('--prune needs --selector: which of the entries in force the manifests are the whole of');
}

async function apply(options: ApplyOptions, io: Io): Promise<void> {
  const selector = selectorOf(options);
  const { documents, errors } = await readManifests(options, io);
  for (const { message } of errors) reportFailure(io, `error: error parsing ${message}`);
  const named = documents.map((document) => ({ document, read: readTarget(document, options.namespace) }));
  const tasks = named.filter((task) => isSelected(task, selector));
  if (tasks.length === 0 && errors.length === 0) throw new CommandFailure('no objects passed to apply');
  const { dryRun } = options;
  if (dryRun === 'client' && !options.prune && !(await findServer(options, io))) {
    await applyAll(
      tasks,
      new Map(),
      judge(async () => false),
      options,
      io,
    );
    return;
  }
  await withAdminClient(await findConnection(options, io), async (client) => {
    const applier = dryRun === 'client' ? judge(existsAt(client)) : applierAt(client, dryRun === 'server');
    const inForce = dryRun === 'none' ? await hostsInForce(client, targetsOf(tasks), io) : new Map();
    const isWhole = (await applyAll(tasks, inForce, applier, options, io)) && errors.length === 0;
    if (!options.prune || !selector) return;
    if (!isWhole) return reportFailure(io, 'error: nothing is pruned, because not everything was applied');
    const isText = options.output === undefined || options.output === 'name';
    await prune(
      client,
      { selector, applied: targetsOf(tasks), named: targetsOf(named), dryRun },
      isText ? io.stdout : io.stderr,
      io,
    );
  });
}

const EXAMPLES = `
Examples:
  meshdoh apply -f external-auto.yaml
  meshdoh apply -R -f manifests/ --dry-run=server
  meshdoh apply -R -f manifests/ --prune -l team=shop
  kubectl get serviceentry -A -o yaml | meshdoh apply -f -`;

export function applyCommand(io: Io = processIo()): Command {
  const command = verb('apply', io)
    .summary('create or change ServiceEntries from manifests')
    .description('Creates or changes the ServiceEntries of YAML or JSON manifests. One that is refused stops no other.')
    .requiredOption('-f, --filename <file...>', 'files and folders; - is standard input')
    .option('-R, --recursive', 'take the folders below a folder too')
    .option('-n, --namespace <namespace>', `of objects that name none (default: "${DEFAULT_NAMESPACE}")`)
    .addOption(selectorOption())
    .option('--prune', 'then delete what --selector selects in the same namespaces and the manifests do not name')
    .addOption(dryRunOption())
    .addOption(new Option('-o, --output <format>', 'what to print of each').choices(OBJECT_FORMATS))
    .action(reporting(io, (options: ApplyOptions) => apply(options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
