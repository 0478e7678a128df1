import { type Command, Option } from 'commander';
import { COLUMNS } from '../http/kubernetes/table.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { ADMIN_TIMEOUT_MS, type AdminClient, withAdminClient } from './admin-client.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { CommandFailure, refusalText, reportFailure, reporting } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { formatObject, formatObjects, OBJECT_FORMATS, type ObjectFormat } from './object-output.ts';
import { readNames, readNamespace } from './resource-names.ts';
import { readSelector, type Selector, selectorOption } from './selector.ts';
import { formatTable, TableWriter } from './table-output.ts';
import { DEFAULT_NAMESPACE } from './target.ts';
import { verb } from './verb.ts';

interface GetOptions extends ConnectionOptions {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly output?: 'wide' | ObjectFormat;
  readonly selector?: string;
  readonly watch?: boolean;
}

interface Column {
  readonly title: string;
  readonly cell: (entry: ServiceEntry, now: number) => string;
}

const NAMESPACE: Column = { title: 'NAMESPACE', cell: ({ metadata }) => metadata.namespace };

const columnsOf = ({ allNamespaces, output }: GetOptions): readonly Column[] => [
  ...(allNamespaces ? [NAMESPACE] : []),
  ...COLUMNS.filter(({ priority }) => priority === 0 || output === 'wide').map(({ name, cell }) => ({
    title: name.toUpperCase(),
    cell: (entry: ServiceEntry, now: number) => cell(entry, now) ?? '',
  })),
];

function tableOf(entries: readonly ServiceEntry[], options: GetOptions, now: number): string {
  const columns = columnsOf(options);
  return formatTable(
    columns.map(({ title }) => title),
    entries.map((entry) => columns.map(({ cell }) => cell(entry, now))),
  );
}

function printAll(entries: readonly ServiceEntry[], options: GetOptions, io: Io): void {
  const { output, namespace, allNamespaces } = options;
  if (output !== undefined && output !== 'wide') {
    io.stdout.write(formatObjects(entries, output));
  } else if (entries.length > 0) {
    io.stdout.write(tableOf(entries, options, io.now()));
  } else {
    io.stderr.write(`No resources found${allNamespaces ? '' : ` in ${readNamespace(namespace)} namespace.`}\n`);
  }
}

/** What was found is printed before what was not. */
async function printNamed(client: AdminClient, names: readonly string[], options: GetOptions, io: Io): Promise<void> {
  const namespace = readNamespace(options.namespace);
  const answers = await Promise.all(names.map((name) => client.get({ namespace, name })));
  const found = answers.flatMap((answer) => (answer.ok ? [answer.value] : []));
  const [first] = found;
  const { output } = options;
  if (names.length === 1 && first && output && output !== 'wide') io.stdout.write(formatObject(first, output));
  else if (first) printAll(found, options, io);
  for (const answer of answers) if (!answer.ok) reportFailure(io, refusalText(answer.status));
}

/** What is there, and a line for each change, until the command is ended. */
async function watch(
  client: AdminClient,
  namespace: string | undefined,
  selector: Selector | undefined,
  options: GetOptions,
  io: Io,
): Promise<void> {
  const { output } = options;
  const columns = columnsOf(options);
  const table = new TableWriter(columns.map(({ title }) => title));
  for await (const { entry } of client.watch(namespace, { selector }, io.signal)) {
    const cells = () => columns.map(({ cell }) => cell(entry, io.now()));
    const isObject = output !== undefined && output !== 'wide';
    if (isObject && output === 'yaml') io.stdout.write('---\n');
    io.stdout.write(isObject ? formatObject(entry, output) : table.row(cells()));
  }
}

async function get(words: readonly string[], options: GetOptions, io: Io): Promise<void> {
  const names = readNames(words);
  const namespace = options.allNamespaces ? undefined : readNamespace(options.namespace);
  if (names.length > 0 && namespace === undefined) {
    throw new CommandFailure('a resource cannot be retrieved by name across all namespaces');
  }
  if (names.length > 0 && (options.selector !== undefined || options.watch)) {
    throw new CommandFailure('names go with neither --selector nor --watch');
  }
  const selector = options.selector === undefined ? undefined : readSelector(options.selector);
  await withAdminClient(await findConnection(options, io), async (client) => {
    if (names.length > 0) await printNamed(client, names, options, io);
    else if (options.watch) await watch(client, namespace, selector, options, io);
    else printAll(await client.list(namespace, { selector }), options, io);
  });
}

const EXAMPLES = `
Examples:
  meshdoh get serviceentries
  meshdoh get se external-auto -o yaml
  meshdoh get se -A -o wide
  meshdoh get se -l app=shop --watch`;

export function getCommand(io: Io = processIo()): Command {
  const command = verb('get', io)
    .summary('show ServiceEntries')
    .description('Shows the ServiceEntries of a namespace, of all, or those that are named.')
    .argument('[names...]', 'the kind (se, serviceentry, serviceentries), which may be left out, and names')
    .option('-n, --namespace <namespace>', `the namespace (default: "${DEFAULT_NAMESPACE}")`)
    .option('-A, --all-namespaces', 'those of all namespaces')
    .addOption(selectorOption())
    .option('-w, --watch', 'go on with each change, until Ctrl-C')
    .addOption(new Option('-o, --output <format>', 'what to print of each').choices(['wide', ...OBJECT_FORMATS]))
    .action(reporting(io, (words: string[], options: GetOptions) => get(words, options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
