import { type Command, Option } from 'commander';
import type { VipReport } from '../registry/operations.ts';
import type { Explanation, Step } from '../resolve/explain.ts';
import type { ExplainedHost } from '../resolve/explain-host.ts';
import { ADMIN_TIMEOUT_MS } from './admin-client.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { reporting } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { formatValue } from './object-output.ts';
import { withOperationsClient } from './operations-client.ts';
import { printable } from './printable.ts';
import { verb } from './verb.ts';

interface ExplainOptions extends ConnectionOptions {
  readonly namespace?: string;
  readonly vips?: '0' | '1';
  readonly output?: 'json' | 'yaml';
}

const STEPS: Readonly<Record<Step, string>> = {
  query: 'the query itself cannot be answered',
  special: 'a special name, which is never forwarded',
  reverse: 'the reverse zone of the virtual IPs, which is never forwarded',
  exact: 'a registered host of this name',
  wildcard: 'a registered wildcard host',
  search: 'a registered host, after a search domain is taken off',
  privateZone: 'a private zone: what is not registered does not exist, and nothing is forwarded',
  forward: 'nobody here has it: it is forwarded',
  refused: 'nobody here has it, and this view does not forward',
  unavailable: 'the registry cannot be read',
};

const KINDS: Readonly<Record<Explanation['kind'], string>> = {
  answer: 'NOERROR',
  noData: 'NOERROR without records (NODATA)',
  nxDomain: 'NXDOMAIN',
  forward: 'what an upstream says',
  refused: 'REFUSED (EDE 18)',
  unavailable: 'SERVFAIL (EDE 14)',
  error: 'error',
};

const WIDTH = 12;
const line = (title: string, text: string): string => `${`${title}:`.padEnd(WIDTH)}${text}`;
const below = (texts: readonly string[]): string[] => texts.map((text) => `${' '.repeat(WIDTH)}${text}`);

function viewText({ view }: Explanation): string {
  const { namespace, vips, families, searchDomains, forwardUnknown } = view;
  const search = searchDomains.length > 0 ? `, search domains ${searchDomains.join(' ')}` : '';
  const forwards = forwardUnknown ? '' : ', does not forward';
  return `namespace ${namespace}, vips ${vips}, families ${families.join(' ') || 'none'}${search}${forwards}`;
}

function answerLines({ kind, records, rcode, zone, ttl }: Explanation): string[] {
  const where = zone === undefined ? '' : `, SOA of ${zone}`;
  return [
    line('answer', `${rcode ?? KINDS[kind]}${where}`),
    ...below(records),
    ...(ttl ? [line('TTL', `${ttl.seconds} s, from ${ttl.from}`)] : []),
  ];
}

function vipLines({ ipv4, ipv6, state, holder, until, pinnedBy, previous }: VipReport): string[] {
  const held = holder && holder.host !== '' ? `, ${holder.namespace}/${holder.host}` : '';
  const end = until === undefined ? '' : ` until ${new Date(until).toISOString()}`;
  const pins = pinnedBy.length > 0 ? [`pinned by ${pinnedBy.join(', ')}`] : [];
  const before = previous.map(
    (former) => `before: ${former.namespace}/${former.host}, until ${new Date(former.until).toISOString()}`,
  );
  return [line('virtual IP', `${ipv4}, ${ipv6}: ${state}${held}${end}`), ...below([...pins, ...before])];
}

const VERDICTS = {
  answers: 'answers',
  notExported: 'invisible',
  noAnswer: 'no answer',
  otherNamespace: 'loses',
  shadowed: 'loses',
} as const;

function hostLines({ host, inSuffixSet, entries }: ExplainedHost): string[] {
  const fault = inSuffixSet ? '' : '   (not in the suffix set: run "meshdoh fsck --repair")';
  return [
    line('host', `${host}${fault}`),
    ...below(
      entries.map(
        ({ entry, resolution, verdict, because }) => `${VERDICTS[verdict]}: ${entry} (${resolution}): ${because}`,
      ),
    ),
  ];
}

function registryLines({ hosts, mayBeRegistered }: Explanation): string[] {
  if (hosts.length > 0) return hosts.flatMap(hostLines);
  const looked = mayBeRegistered
    ? 'hosts of this suffix are, so it costs a read'
    : 'nothing of this suffix is: no read';
  return [line('registered', `no; ${looked}`)];
}

function upstreamLines({ kind, upstreams, hasRoute }: Explanation): string[] {
  if (kind !== 'forward') return [];
  const by = hasRoute ? 'by the route of a suffix' : 'by default';
  return [line('upstreams', upstreams.length > 0 ? `${upstreams.join(', then ')} (${by})` : 'none is configured')];
}

/** For people; JSON and YAML hold all of it. */
function explanationText(explanation: Explanation): string {
  const { name, type, step, match, vip } = explanation;
  const found = match ? ` (${match.namespace}/${match.host})` : '';
  const lines = [
    line('name', `${name} ${type}`),
    line('view', viewText(explanation)),
    line('decided by', `${STEPS[step]}${found}`),
    ...answerLines(explanation),
    ...(vip ? vipLines(vip) : []),
    ...registryLines(explanation),
    ...upstreamLines(explanation),
  ];
  return lines.map((text) => `${printable(text)}\n`).join('');
}

async function explain(name: string, type: string, options: ExplainOptions, io: Io): Promise<void> {
  const { namespace, vips, output } = options;
  const parameters = {
    name,
    type,
    ...(namespace === undefined ? {} : { namespace }),
    ...(vips === undefined ? {} : { vips }),
  };
  await withOperationsClient(await findConnection(options, io), async ({ ask }) => {
    const target = `/v1/explain?${new URLSearchParams(parameters)}`;
    const explanation = await ask<Explanation>({ method: 'GET', target });
    io.stdout.write(output === undefined ? explanationText(explanation) : formatValue(explanation, output));
  });
}

const EXAMPLES = `
Examples:
  meshdoh explain auto.internal
  meshdoh explain auto.internal AAAA -n team-a
  meshdoh explain 7.98.240.240.in-addr.arpa PTR -o json`;

export function explainCommand(io: Io = processIo()): Command {
  const command = verb('explain', io)
    .summary('show why a name resolves as it does')
    .description(
      'Shows what a view gets for a name, and why: which part of the resolution order decides, which entries match and ' +
        'which of them lose, the virtual IP and its history, the TTL, or who would be asked.',
    )
    .argument('<name>', 'the domain name')
    .argument('[type]', 'the record type: a name, a number or TYPE123', 'A')
    .option('-n, --namespace <name>', 'as clients of this namespace see it (default: that of the settings)')
    .addOption(new Option('--vips <0|1>', 'as clients who leave out virtual IPs see it, with 0').choices(['0', '1']))
    .addOption(new Option('-o, --output <format>', 'print all of it').choices(['json', 'yaml']))
    .action(reporting(io, (name: string, type: string, options: ExplainOptions) => explain(name, type, options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
