import { type Command, Option } from 'commander';
import type { PrincipalRecord } from '../registry/principals.ts';
import { ADMIN_TIMEOUT_MS } from './admin-client.ts';
import { ageOf } from './age.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { reportFailure, reporting, ServerRefusal } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { formatValue } from './object-output.ts';
import { withOperationsClient } from './operations-client.ts';
import { formatTable } from './table-output.ts';
import { verb } from './verb.ts';
import { addViewOptions, type ViewFlags, type ViewPurpose, viewOf, viewText } from './view-flags.ts';

interface SetOptions extends ConnectionOptions, ViewFlags {
  readonly label?: string;
  readonly for?: ViewPurpose;
}

interface ListOptions extends ConnectionOptions {
  readonly output: 'table' | 'json' | 'yaml';
}

const targetOf = (arn: string): string => `/v1/principals/${encodeURIComponent(arn)}`;

async function set(arn: string, options: SetOptions, io: Io): Promise<void> {
  const { label, for: purpose } = options;
  await withOperationsClient(await findConnection(options, io), async ({ ask }) => {
    const record = await ask<PrincipalRecord>({
      method: 'PUT',
      target: targetOf(arn),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ view: viewOf(options, purpose), ...(label === undefined ? {} : { label }) }),
    });
    io.stdout.write(`principal ${record.arn} set: ${viewText(record.view)}\n`);
  });
}

async function list(options: ListOptions, io: Io): Promise<void> {
  await withOperationsClient(await findConnection(options, io), async ({ ask }) => {
    const { items } = await ask<{ items: readonly PrincipalRecord[] }>({ method: 'GET', target: '/v1/principals' });
    if (options.output !== 'table') io.stdout.write(formatValue({ items }, options.output));
    else if (items.length === 0) io.stderr.write('No principals found.\n');
    else {
      const rows = items.map(({ arn, label, view, createdAt }) => [
        arn,
        label,
        viewText(view),
        ageOf(createdAt, io.now()),
      ]);
      io.stdout.write(formatTable(['ARN', 'LABEL', 'VIEW', 'AGE'], rows));
    }
  });
}

async function remove(arns: readonly string[], options: ConnectionOptions, io: Io): Promise<void> {
  await withOperationsClient(await findConnection(options, io), async ({ ask }) => {
    for (const arn of arns) {
      try {
        await ask({ method: 'DELETE', target: targetOf(arn) });
        io.stdout.write(`principal ${arn} deleted\n`);
      } catch (error) {
        if (!(error instanceof ServerRefusal)) throw error;
        reportFailure(io, error.message);
      }
    }
  });
}

function setSubcommand(io: Io): Command {
  const command = verb('set', io)
    .summary('give a role or user its view')
    .description('Gives a role or user its view, in place of the one that it has. What no flag says, the settings say.')
    .argument('<arn>', 'of a role or user; that of a session stands for its role')
    .option('--label <text>', 'by which you know it (default: its name)')
    .addOption(
      new Option('--for <purpose>', 'vm: its shim carries virtual IPs; client: no virtual IPs').choices([
        'vm',
        'client',
      ]),
    );
  addViewOptions(command).action(reporting(io, (arn: string, options: SetOptions) => set(arn, options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS);
}

function listSubcommand(io: Io): Command {
  const command = verb('list', io)
    .summary('show the principals that have a view')
    .description('Shows the roles and users that have a view of their own.')
    .addOption(
      new Option('-o, --output <format>', 'how to print them').choices(['table', 'json', 'yaml']).default('table'),
    )
    .action(reporting(io, (options: ListOptions) => list(options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS);
}

function deleteSubcommand(io: Io): Command {
  const command = verb('delete', io)
    .summary('take their views away')
    .description('Takes views away. IAM still decides who may ask: whoever may has the view of the settings then.')
    .argument('<arn...>', 'as "meshdoh principal list" shows them')
    .action(reporting(io, (arns: readonly string[], options: ConnectionOptions) => remove(arns, options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS);
}

const EXAMPLES = `
Examples:
  meshdoh principal set arn:aws:iam::123456789012:role/vm --for vm --namespace team-a
  meshdoh principal list
  meshdoh principal delete arn:aws:iam::123456789012:role/vm`;

export function principalCommand(io: Io = processIo()): Command {
  return verb('principal', io)
    .summary('set, list and delete the views of those who sign with AWS credentials')
    .description('Manages the views of IAM roles and users, where requests are signed instead of carrying a token.')
    .addCommand(setSubcommand(io))
    .addCommand(listSubcommand(io))
    .addCommand(deleteSubcommand(io))
    .addHelpText('after', EXAMPLES);
}
