import { type Command, InvalidArgumentError, Option } from 'commander';
import type { TokenRecord } from '../registry/tokens.ts';
import { duration } from '../settings/duration.ts';
import { ADMIN_TIMEOUT_MS } from './admin-client.ts';
import { ageOf } from './age.ts';
import { addConnectionOptions, type Connection, type ConnectionOptions, findConnection } from './connection.ts';
import { CommandFailure, reportFailure, reporting, ServerRefusal } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { formatValue } from './object-output.ts';
import { withOperationsClient } from './operations-client.ts';
import { formatTable } from './table-output.ts';
import { verb } from './verb.ts';
import { addViewOptions, hasViewFlags, type ViewFlags, type ViewPurpose, viewOf, viewText } from './view-flags.ts';

type Format = 'table' | 'json' | 'yaml';
/** `token`: nothing but the token, for a file or a variable. */
type CreateFormat = Format | 'token';
type Purpose = ViewPurpose | 'admin';

interface ListOptions extends ConnectionOptions {
  readonly output: Format;
}

interface CreateOptions extends ConnectionOptions, ViewFlags {
  readonly output: CreateFormat;
  readonly label: string;
  readonly for: Purpose;
  /** Milliseconds. */
  readonly expires?: number;
}

/** What `POST /v1/tokens` answers: the only time that the token is told. */
type CreatedToken = TokenRecord & { readonly token: string };

const DAY_MS = 86_400_000;
const NONE = '<none>';

function readExpiry(text: string): number {
  const days = /^([1-9]\d{0,4})d$/.exec(text)?.[1];
  const reading = duration(text);
  const ms = days === undefined ? (reading.ok ? reading.value : 0) : Number(days) * DAY_MS;
  if (ms <= 0) throw new InvalidArgumentError('It takes a duration such as 90d, 12h or 30m.');
  return ms;
}

/** A line to paste that shows that the token works; `cacert` as the command was given it. */
export function tryLine(
  { url }: Pick<Connection, 'url'>,
  { token, kind }: Pick<CreatedToken, 'token' | 'kind'>,
  cacert?: string,
): string {
  const base = url.href.replace(/\/$/, '');
  if (kind === 'admin') return 'meshdoh get serviceentries --token-file FILE   (with the token in FILE, mode 0600)';
  if (url.protocol === 'https:') {
    const ca = cacert === undefined ? '' : ` --cacert '${cacert.replaceAll("'", `'\\''`)}'`;
    return `curl${ca} '${base}/${token}/dns-query?name=example.com&type=A'   (or: curl --doh-url '${base}/${token}/dns-query' URL)`;
  }
  return `curl '${base}/${token}/dns-query?name=example.com&type=A'`;
}

function createdText(connection: Connection, created: CreatedToken, { output, cacert }: CreateOptions): string {
  if (output === 'token') return `${created.token}\n`;
  if (output !== 'table') return formatValue(created, output);
  const { token, id, kind, label, expiresAt } = created;
  const end = expiresAt === undefined ? 'until it is revoked' : `until ${expiresAt}`;
  const endpoint = `${connection.url.href.replace(/\/$/, '')}/${token}/dns-query`;
  return [
    `${kind} token ${id} (${label}), good ${end}. It is shown this once:`,
    '',
    `  ${token}`,
    '',
    ...(kind === 'client' ? [`DoH endpoint:  ${endpoint}`] : []),
    `try it:        ${tryLine(connection, created, cacert)}`,
    '',
  ].join('\n');
}

async function create(options: CreateOptions, io: Io): Promise<void> {
  const { for: purpose, label, expires } = options;
  if (purpose === 'admin' && hasViewFlags(options)) {
    throw new CommandFailure(
      'an administrator token has no view: --namespace, --search-domain and --family are for others',
    );
  }
  const connection = await findConnection(options, io);
  await withOperationsClient(connection, async ({ ask }) => {
    const created = await ask<CreatedToken>({
      method: 'POST',
      target: '/v1/tokens',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        label,
        ...(purpose === 'admin' ? { kind: 'admin' } : { view: viewOf(options, purpose) }),
        ...(expires === undefined ? {} : { expiresAt: new Date(io.now() + expires).toISOString() }),
      }),
    });
    io.stdout.write(createdText(connection, created, options));
  });
}

function listRow({ id, kind, label, view, createdAt, expiresAt }: TokenRecord, now: number): string[] {
  const isOver = expiresAt !== undefined && Date.parse(expiresAt) <= now;
  const expires = expiresAt === undefined ? NONE : isOver ? `${expiresAt} (over)` : expiresAt;
  return [id, kind, label, viewText(view), expires, ageOf(createdAt, now)];
}

async function list(options: ListOptions, io: Io): Promise<void> {
  await withOperationsClient(await findConnection(options, io), async ({ ask }) => {
    const { items } = await ask<{ readonly items: readonly TokenRecord[] }>({ method: 'GET', target: '/v1/tokens' });
    const { output } = options;
    if (output !== 'table') io.stdout.write(formatValue({ items }, output));
    else if (items.length === 0) io.stderr.write('No tokens found.\n');
    else {
      const header = ['ID', 'KIND', 'LABEL', 'VIEW', 'EXPIRES', 'AGE'];
      io.stdout.write(
        formatTable(
          header,
          items.map((item) => listRow(item, io.now())),
        ),
      );
    }
  });
}

async function revoke(ids: readonly string[], options: ConnectionOptions, io: Io): Promise<void> {
  if (ids.some((id) => id.startsWith('mdh_'))) {
    throw new CommandFailure(
      'a token is revoked by its id, as "meshdoh token list" shows it: what is typed here is kept in logs',
    );
  }
  await withOperationsClient(await findConnection(options, io), async ({ ask }) => {
    for (const id of ids) {
      try {
        await ask({ method: 'DELETE', target: `/v1/tokens/${encodeURIComponent(id)}` });
        io.stdout.write(`token ${id} revoked\n`);
      } catch (error) {
        if (!(error instanceof ServerRefusal)) throw error;
        reportFailure(io, error.message);
      }
    }
  });
}

const FORMATS: readonly Format[] = ['table', 'json', 'yaml'];
const CREATE_FORMATS: readonly CreateFormat[] = [...FORMATS, 'token'];

const outputOption = (formats: readonly CreateFormat[], meaning: string): Option =>
  new Option('-o, --output <format>', meaning).choices(formats).default('table');

function createSubcommand(io: Io): Command {
  const command = verb('create', io)
    .summary('make a token')
    .description('Makes a token and prints it, this once: it is kept as a hash.')
    .requiredOption('--label <text>', 'by which you know it')
    .addOption(
      new Option('--for <purpose>', 'vm: its shim carries virtual IPs; client: no virtual IPs; admin: administers')
        .choices(['vm', 'client', 'admin'])
        .makeOptionMandatory(),
    )
    .option('--expires <duration>', 'how long it is good: 90d, 12h (default: until it is revoked)', readExpiry)
    .addOption(outputOption(CREATE_FORMATS, 'how to print it; token: nothing but the token'))
    .action(reporting(io, (options: CreateOptions) => create(options, io)));
  return addConnectionOptions(addViewOptions(command), ADMIN_TIMEOUT_MS);
}

function listSubcommand(io: Io): Command {
  const command = verb('list', io)
    .summary('show the tokens there are')
    .description('Shows the tokens there are, by their ids; the tokens themselves are not kept.')
    .addOption(outputOption(FORMATS, 'how to print them'))
    .action(reporting(io, (options: ListOptions) => list(options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS);
}

function revokeSubcommand(io: Io): Command {
  const command = verb('revoke', io)
    .summary('end tokens, by their ids')
    .description('Ends tokens by their ids. Servers let their owners in for at most "registryCacheMs" more.')
    .argument('<id...>', 'as "meshdoh token list" shows them')
    .action(reporting(io, (ids: readonly string[], options: ConnectionOptions) => revoke(ids, options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS);
}

const EXAMPLES = `
Examples:
  meshdoh token create --label "vm fleet" --for vm --namespace team-a
  meshdoh token create --label laptop --for client --expires 90d -o json
  (umask 077; meshdoh token create --label vm-7 --for vm -o token > vm-7.token)
  meshdoh token list
  meshdoh token revoke 3f9a0c21b7de`;

export function tokenCommand(io: Io = processIo()): Command {
  return verb('token', io)
    .summary('make, list and revoke the tokens of clients and administrators')
    .description('Manages tokens. To replace one without a gap, make another, put it in place, and revoke the first.')
    .addCommand(createSubcommand(io))
    .addCommand(listSubcommand(io))
    .addCommand(revokeSubcommand(io))
    .addHelpText('after', EXAMPLES);
}
