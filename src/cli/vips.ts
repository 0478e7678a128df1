import { type Command, Option } from 'commander';
import type { PoolReport, VipReport } from '../registry/operations.ts';
import { ADMIN_TIMEOUT_MS } from './admin-client.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { CommandFailure, reporting } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { formatValue } from './object-output.ts';
import { type OperationsClient, withOperationsClient } from './operations-client.ts';
import { formatTable } from './table-output.ts';
import { verb } from './verb.ts';

interface VipsOptions extends ConnectionOptions {
  readonly holder?: string;
  readonly output?: 'wide' | 'json' | 'yaml';
}

interface Column<T> {
  readonly title: string;
  readonly cell: (one: T, now: number) => string;
}

const NONE = '<none>';

/** RFC 3339 in whole seconds. */
const timeOf = (ms: number | undefined): string =>
  ms === undefined ? NONE : new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');

const POOL_COLUMNS: readonly Column<PoolReport>[] = [
  { title: 'POOL', cell: ({ ipv4 }) => ipv4 },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'CAPACITY', cell: ({ capacity }) => String(capacity) },
  { title: 'LIVE', cell: ({ live }) => String(live) },
  { title: 'RELEASED', cell: ({ tombstoned }) => String(tombstoned) },
  { title: 'PINNED', cell: ({ pinned }) => String(pinned) },
  { title: 'FREE', cell: ({ free }) => String(free) },
];

const WIDE_POOL_COLUMNS: readonly Column<PoolReport>[] = [
  ...POOL_COLUMNS,
  { title: 'IPV6', cell: ({ ipv6 }) => ipv6 },
  { title: 'NEXT-FREE', cell: ({ nextFreeAt }) => timeOf(nextFreeAt) },
];

const holderText = (holder: { readonly namespace: string; readonly host: string } | undefined): string => {
  if (!holder) return NONE;
  return holder.host === '' ? '<unknown>' : `${holder.namespace}/${holder.host}`;
};

const VIP_COLUMNS: readonly Column<VipReport>[] = [
  { title: 'IPV4', cell: ({ ipv4 }) => ipv4 },
  { title: 'IPV6', cell: ({ ipv6 }) => ipv6 },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'HOLDER', cell: ({ holder }) => holderText(holder) },
  { title: 'UNTIL', cell: ({ until }) => timeOf(until) },
];

const WIDE_VIP_COLUMNS: readonly Column<VipReport>[] = [
  ...VIP_COLUMNS,
  { title: 'PINNED-BY', cell: ({ pinnedBy }) => pinnedBy.join(',') || NONE },
  { title: 'PREVIOUS', cell: ({ previous }) => previous.map(holderText).join(',') || NONE },
];

const tableOf = <T>(columns: readonly Column<T>[], rows: readonly T[], now: number): string =>
  formatTable(
    columns.map(({ title }) => title),
    rows.map((row) => columns.map(({ cell }) => cell(row, now))),
  );

function print<T>(value: unknown, rows: readonly T[], columns: readonly Column<T>[], { output }: VipsOptions, io: Io) {
  const text = output === 'json' || output === 'yaml' ? formatValue(value, output) : tableOf(columns, rows, io.now());
  io.stdout.write(text);
}

function askHolder(client: OperationsClient, holder: string): Promise<VipReport> {
  const [namespace, host, ...more] = holder.split('/');
  if (!namespace || !host || more.length > 0) {
    throw new CommandFailure(`--holder is "${holder}": it takes a namespace and a host, as in default/auto.internal`);
  }
  return client.vipOfHost(namespace, host);
}

async function vips(address: string | undefined, options: VipsOptions, io: Io): Promise<void> {
  const { holder, output } = options;
  if (address !== undefined && holder !== undefined)
    throw new CommandFailure('an address and --holder exclude each other');
  await withOperationsClient(await findConnection(options, io), async (client) => {
    const wide = output === 'wide';
    if (address === undefined && holder === undefined) {
      const pools = await client.pools();
      print({ items: pools }, pools, wide ? WIDE_POOL_COLUMNS : POOL_COLUMNS, options, io);
      return;
    }
    const vip = holder === undefined ? await client.vip(address ?? '') : await askHolder(client, holder);
    print(vip, [vip], wide ? WIDE_VIP_COLUMNS : VIP_COLUMNS, options, io);
  });
}

const EXAMPLES = `
Examples:
  meshdoh vips
  meshdoh vips 240.240.98.7 -o wide
  meshdoh vips --holder default/auto.internal`;

export function vipsCommand(io: Io = processIo()): Command {
  const command = verb('vips', io)
    .summary('show the pools of virtual IPs, or one of them')
    .description(
      'Shows how full the pools of virtual IPs are; or, of one address or one host, who holds it and who did.',
    )
    .argument('[address]', 'an IPv4 or IPv6 address of a pool')
    .option('--holder <namespace/host>', 'the virtual IP of this host')
    .addOption(new Option('-o, --output <format>', 'what to print of each').choices(['wide', 'json', 'yaml']))
    .action(reporting(io, (address: string | undefined, options: VipsOptions) => vips(address, options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
