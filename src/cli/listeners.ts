import { type Command, Option } from 'commander';
import { listenText } from '../settings/listen-address.ts';
import { destinationOf } from '../shim/vips/listeners.ts';
import type { MeshTable, TableHost } from '../table/mesh-table.ts';
import { targetsOf } from '../table/table-endpoints.ts';
import { ADMIN_TIMEOUT_MS } from './admin-client.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { reporting } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { namespaceTable } from './namespace-table.ts';
import { formatValue } from './object-output.ts';
import { withOperationsClient } from './operations-client.ts';
import { formatTable } from './table-output.ts';
import { DEFAULT_NAMESPACE } from './target.ts';
import { verb } from './verb.ts';

interface ListenersOptions extends ConnectionOptions {
  readonly namespace: string;
  readonly output?: 'wide' | 'json' | 'yaml';
}

/** One port of one virtual IP. */
export interface Listener {
  readonly address: string;
  readonly port: number;
  readonly protocol: string;
  /** As Istio names clusters. */
  readonly destination: string;
  /** `address:port`, with `*weight` where it is not 1. */
  readonly endpoints: readonly string[];
}

function listenersOf(host: TableHost, { view }: MeshTable): Listener[] {
  const { vip } = host;
  if (!vip) return [];
  return view.families.flatMap((family) =>
    host.ports.map((port) => ({
      address: vip[family],
      port: port.number,
      protocol: port.protocol || 'TCP',
      destination: destinationOf({ host: host.host, port: port.number }),
      endpoints: targetsOf(host, port).map(
        (target) =>
          `${listenText({ host: target.address, port: target.port })}${target.weight === 1 ? '' : `*${target.weight}`}`,
      ),
    })),
  );
}

const byAddress = (a: Listener, b: Listener): number =>
  a.address.localeCompare(b.address, 'en', { numeric: true }) || a.port - b.port;

/** What a host with virtual IPs listens to for the view of the table, sorted by address and port. */
const tableListeners = (table: MeshTable): readonly Listener[] =>
  table.hosts.flatMap((host) => listenersOf(host, table)).sort(byAddress);

function formatListeners(listeners: readonly Listener[], wide: boolean): string {
  const header = ['ADDRESS', 'PORT', 'PROTOCOL', 'DESTINATION', ...(wide ? ['ENDPOINTS'] : [])];
  const rows = listeners.map(({ address, port, protocol, destination, endpoints }) => [
    address,
    String(port),
    protocol,
    destination,
    ...(wide ? [endpoints.join(',') || '<none>'] : []),
  ]);
  return formatTable(header, rows);
}

async function listeners({ namespace, output, ...options }: ListenersOptions, io: Io): Promise<void> {
  await withOperationsClient(await findConnection(options, io), async (client) => {
    const items = tableListeners(await namespaceTable(client, namespace));
    if (output === 'json' || output === 'yaml') io.stdout.write(formatValue({ items }, output));
    else if (items.length > 0) io.stdout.write(formatListeners(items, output === 'wide'));
    else io.stderr.write(`no virtual IP is visible from namespace "${namespace}"\n`);
  });
}

const EXAMPLES = `
Examples:
  meshdoh listeners
  meshdoh listeners -n team-a -o wide
  meshdoh listeners -o json`;

export function listenersCommand(io: Io = processIo()): Command {
  const command = verb('listeners', io)
    .summary('show what the virtual IPs listen to, and where that leads')
    .description(
      'Shows every port of every virtual IP that a namespace sees, and its destination, named as Istio names clusters.',
    )
    .option('-n, --namespace <name>', 'as clients of this namespace see it', DEFAULT_NAMESPACE)
    .addOption(new Option('-o, --output <format>', 'wide adds the endpoints').choices(['wide', 'json', 'yaml']))
    .action(reporting(io, (options: ListenersOptions) => listeners(options, io)));
  return addConnectionOptions(command, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
