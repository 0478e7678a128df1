import { type Command, Option } from 'commander';
import { isLeft, type Repair, type ReportedFinding } from '../registry/fsck-report.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { reporting } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { formatValue } from './object-output.ts';
import { type OperationsClient, withOperationsClient } from './operations-client.ts';
import { formatTable } from './table-output.ts';
import { verb } from './verb.ts';

interface FsckOptions extends ConnectionOptions {
  readonly repair?: boolean;
  readonly output?: 'wide' | 'json' | 'yaml';
}

interface Run {
  readonly items: number;
  readonly findings: readonly ReportedFinding[];
}

/** One part of a run and what it waits for. */
const FSCK_TIMEOUT_MS = 30_000;

/** What one run mends can bring to light what was hidden behind it. */
const MOST_RUNS = 4;

const WORDS: Readonly<Record<Repair, string>> = {
  person: 'by hand',
  possible: 'with --repair',
  done: 'repaired',
  started: 'run again in an hour',
  changedMeanwhile: 'changed meanwhile',
  refused: 'refused',
};

const CLEAR_LINE = '\r\x1b[K';

async function runOnce(client: OperationsClient, repair: boolean, io: Io): Promise<Run> {
  const findings: ReportedFinding[] = [];
  let items = 0;
  let token: string | undefined;
  do {
    const part = await client.fsck({ repair, ...(token === undefined ? {} : { continue: token }) });
    findings.push(...part.findings);
    items += part.items;
    token = part.continue;
    if (io.isTerminal) io.stderr.write(`${CLEAR_LINE}${token === undefined ? '' : `looked at ${items} items`}`);
  } while (token !== undefined);
  return { items, findings };
}

/** What was mended by any run, and what the last one left. */
async function runUntilMended(client: OperationsClient, io: Io): Promise<Run> {
  const mended: ReportedFinding[] = [];
  for (let runs = 1; ; runs++) {
    const { items, findings } = await runOnce(client, true, io);
    const done = findings.filter(({ repair }) => repair === 'done');
    if (done.length === 0 || runs === MOST_RUNS) return { items, findings: [...mended, ...findings] };
    mended.push(...done);
  }
}

function tableOf(findings: readonly ReportedFinding[], wide: boolean): string {
  const header = ['SEVERITY', 'CODE', 'REPAIR', 'MESSAGE'];
  const rows = findings.map(({ severity, code, repair, message, reason, items }) => {
    const text = reason === undefined ? message : `${message}: ${reason}`;
    return [severity, code, WORDS[repair], ...(wide ? [text, items.join(', ')] : [text])];
  });
  return formatTable(wide ? [...header, 'ITEMS'] : header, rows);
}

function summaryOf({ items, findings }: Run): string {
  const left = findings.filter(isLeft).length;
  const mended = findings.filter(({ repair }) => repair === 'done').length;
  const leftovers = findings.length - left - mended;
  return `looked at ${items} items: ${left} errors, ${leftovers} leftovers, ${mended} repaired\n`;
}

async function fsck({ repair = false, output, ...options }: FsckOptions, io: Io): Promise<void> {
  await withOperationsClient(await findConnection(options, io), async (client) => {
    const run = repair ? await runUntilMended(client, io) : await runOnce(client, false, io);
    if (output === 'json' || output === 'yaml') io.stdout.write(formatValue(run, output));
    else if (run.findings.length > 0) io.stdout.write(tableOf(run.findings, output === 'wide'));
    io.stderr.write(summaryOf(run));
    if (run.findings.some(isLeft)) io.setExitCode(1);
  });
}

const EXAMPLES = `
Errors endanger an answer, an address or its uniqueness; leftovers only take up space.
Exit code 1: errors are left. What writers change meanwhile is left to another run.

Examples:
  meshdoh fsck
  meshdoh fsck --repair -o wide`;

export function fsckCommand(io: Io = processIo()): Command {
  const command = verb('fsck', io)
    .summary('check the registry, and repair it')
    .description(
      'Checks that entries, hosts, virtual IPs and pools agree, and tells where they do not. With --repair it mends what ' +
        'needs no decision, while writes go on; no live virtual IP moves that its host and its own item agree on.',
    )
    .option('--repair', 'mend what is found')
    .addOption(new Option('-o, --output <format>', 'what to print of each').choices(['wide', 'json', 'yaml']))
    .action(reporting(io, (options: FsckOptions) => fsck(options, io)));
  return addConnectionOptions(command, FSCK_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
