import type { Command } from 'commander';
import type { HostClaim } from '../serviceentry/claim.ts';
import { claimsOf } from '../serviceentry/claims.ts';
import type { Condition, ServiceEntry, ServiceEntryPort, WorkloadEntry } from '../serviceentry/service-entry.ts';
import { validateServiceEntry } from '../serviceentry/validate.ts';
import { ADMIN_TIMEOUT_MS, type AdminClient, withAdminClient } from './admin-client.ts';
import { ageOf } from './age.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { CommandFailure, refusalText, reportFailure, reporting } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { printable } from './printable.ts';
import { readNames, readNamespace } from './resource-names.ts';
import { readSelector, selectorOption } from './selector.ts';
import { formatTable } from './table-output.ts';
import { DEFAULT_NAMESPACE } from './target.ts';
import { verb } from './verb.ts';

interface DescribeOptions extends ConnectionOptions {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
}

const NONE = '<none>';
const LABEL_WIDTH = 15;

const field = (label: string, value: string): string => `${`${label}:`.padEnd(LABEL_WIDTH)}${printable(value)}\n`;

/** One value, or several below each other. */
function fields(label: string, values: readonly string[]): string {
  const [first = NONE, ...more] = values;
  return field(label, first) + more.map((value) => `${' '.repeat(LABEL_WIDTH)}${printable(value)}\n`).join('');
}

function section(title: string, header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return field(title, NONE);
  const lines = formatTable(header, rows).split('\n').slice(0, -1);
  return `${title}:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

const pairs = (values: Readonly<Record<string, string>> = {}): string[] =>
  Object.entries(values).map(([key, value]) => `${key}=${value}`);

/** What whoever asks for the host is told, by the table of what a host answers. */
function answerOf({ host, addresses, endpoints, resolution }: HostClaim, { status }: ServiceEntry): string[] {
  if (addresses.length > 0) return [addresses.join(', '), 'its addresses'];
  const vips = (status?.addresses ?? []).filter((one) => one.host === host).map(({ value }) => value);
  if (vips.length > 0) {
    const who = resolution === 'DYNAMIC_DNS' ? ', for views with "vips: proxy"' : '';
    return [vips.join(', '), `virtual IP${who}`];
  }
  if (resolution !== 'STATIC') return [NONE, 'not answered here'];
  return endpoints.length > 0 ? [endpoints.join(', '), 'its endpoints'] : [NONE, 'no data'];
}

const portRow = ({ name, number, protocol = '', targetPort }: ServiceEntryPort): string[] => [
  name,
  String(number),
  protocol || NONE,
  targetPort === undefined ? String(number) : String(targetPort),
];

const endpointRow = ({ address = '', ports, labels, network, locality, weight }: WorkloadEntry): string[] => [
  address || network || NONE,
  ports
    ? Object.entries(ports)
        .map(([name, number]) => `${name}:${number}`)
        .join(',')
    : NONE,
  weight === undefined ? NONE : String(weight),
  locality ?? NONE,
  pairs(labels).join(',') || NONE,
];

const conditionRow = ({ type, status, reason, lastTransitionTime, message = '' }: Condition, now: number): string[] => [
  type,
  status,
  reason || NONE,
  lastTransitionTime === undefined ? NONE : ageOf(lastTransitionTime, now),
  message.replaceAll('\n', ' '),
];

/** What applying the entry would be warned of: it was, but nobody may have read it. */
function warningsOf(entry: ServiceEntry): readonly string[] {
  const judged = validateServiceEntry(entry);
  return judged.ok ? judged.warnings : [];
}

function created({ metadata }: ServiceEntry, now: number): string {
  const { creationTimestamp } = metadata;
  return creationTimestamp === undefined ? NONE : `${creationTimestamp} (${ageOf(creationTimestamp, now)} ago)`;
}

function describeEntry(entry: ServiceEntry, now: number): string {
  const { apiVersion, kind, metadata, spec, status } = entry;
  const hosts = claimsOf(entry).map((claim) => [claim.host, ...answerOf(claim, entry)]);
  return [
    field('Name', metadata.name),
    field('Namespace', metadata.namespace),
    fields('Labels', pairs(metadata.labels)),
    fields('Annotations', pairs(metadata.annotations)),
    field('API Version', apiVersion),
    field('Kind', kind),
    field('Created', created(entry, now)),
    field('Generation', String(metadata.generation ?? NONE)),
    field('Resolution', spec.resolution ?? 'NONE (by default)'),
    field('Location', spec.location ?? 'MESH_EXTERNAL (by default)'),
    field('Exported To', spec.exportTo?.join(', ') || 'all namespaces (by default)'),
    ...(spec.addresses?.length ? [fields('Addresses', spec.addresses)] : []),
    ...(spec.subjectAltNames?.length ? [fields('SANs', spec.subjectAltNames)] : []),
    ...(spec.workloadSelector ? [fields('Selects', pairs(spec.workloadSelector.labels))] : []),
    section('Hosts', ['HOST', 'ANSWER', 'WHICH IS'], hosts),
    section('Ports', ['NAME', 'PORT', 'PROTOCOL', 'TARGET'], (spec.ports ?? []).map(portRow)),
    section('Endpoints', ['ADDRESS', 'PORTS', 'WEIGHT', 'LOCALITY', 'LABELS'], (spec.endpoints ?? []).map(endpointRow)),
    section(
      'Conditions',
      ['TYPE', 'STATUS', 'REASON', 'AGE', 'MESSAGE'],
      (status?.conditions ?? []).map((condition) => conditionRow(condition, now)),
    ),
    fields('Warnings', warningsOf(entry)),
  ].join('');
}

async function entriesOf(
  client: AdminClient,
  words: readonly string[],
  { namespace, allNamespaces, selector }: DescribeOptions,
  io: Io,
): Promise<readonly ServiceEntry[]> {
  const names = readNames(words);
  if (names.length === 0) {
    const flags = { selector: selector === undefined ? undefined : readSelector(selector) };
    return client.list(allNamespaces ? undefined : readNamespace(namespace), flags);
  }
  if (allNamespaces) throw new CommandFailure('a resource cannot be retrieved by name across all namespaces');
  if (selector !== undefined) throw new CommandFailure('names and --selector exclude each other');
  const at = readNamespace(namespace);
  const answers = await Promise.all(names.map((name) => client.get({ namespace: at, name })));
  for (const answer of answers) if (!answer.ok) reportFailure(io, refusalText(answer.status));
  return answers.flatMap((answer) => (answer.ok ? [answer.value] : []));
}

async function describe(words: readonly string[], options: DescribeOptions, io: Io): Promise<void> {
  await withAdminClient(await findConnection(options, io), async (client) => {
    const entries = await entriesOf(client, words, options, io);
    io.stdout.write(entries.map((entry) => describeEntry(entry, io.now())).join('\n\n'));
    if (entries.length > 0 || readNames(words).length > 0) return;
    const where = options.allNamespaces ? '' : ` in ${readNamespace(options.namespace)} namespace.`;
    io.stderr.write(`No resources found${where}\n`);
  });
}

const EXAMPLES = `
Examples:
  meshdoh describe se external-auto
  meshdoh describe se -n shop -l app=web`;

export function describeCommand(io: Io = processIo()): Command {
  const command = verb('describe', io)
    .summary('show ServiceEntries in full, with what their hosts answer')
    .description(
      'Shows ServiceEntries for people: what each host answers, its virtual IP, ports, endpoints, conditions, and what ' +
        'there is to be warned of.',
    )
    .argument('[names...]', 'the kind (se, serviceentry, serviceentries), which may be left out, and names')
    .option('-n, --namespace <namespace>', `the namespace (default: "${DEFAULT_NAMESPACE}")`)
    .option('-A, --all-namespaces', 'those of all namespaces')
    .addOption(selectorOption())
    .action(reporting(io, (words: string[], options: DescribeOptions) => describe(words, options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
