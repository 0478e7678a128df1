import { join } from 'node:path';
import { elementsOf } from '../../src/shim/vips/elements.ts';
import { vipListeners } from '../../src/shim/vips/listeners.ts';
import { wholeTable } from '../../src/shim/vips/ruleset.ts';
import { resolvedTargets } from '../../src/shim/vips/targets.ts';
import { must, type Running } from '../../test/netns/commands.ts';
import { ENDPOINT, Network } from '../../test/netns/network.ts';
import { meshTable, tableHost } from '../../test/shim/vips/mesh.ts';

export const ECHO_PORT = 9000;
export const IPERF_PORT = 5201;
const PROXY_PORTS: Readonly<Record<number, number>> = { [ECHO_PORT]: 19_000, [IPERF_PORT]: 15_201 };

/** A way from the host to the endpoint. */
export interface Carrier {
  readonly name: string;
  readonly address: string;
  /** Where it takes connections for this port of the endpoint. */
  port(port: number): number;
}

const here = import.meta.dirname;
const node = (file: string, ...args: string[]): string[] => [process.execPath, join(here, file), ...args];

const table = () =>
  meshTable([
    tableHost({
      ports: [ECHO_PORT, IPERF_PORT].map((number) => ({ name: `tcp-${number}`, number, protocol: 'TCP' })),
      endpoints: [{ address: ENDPOINT.v4 }],
    }),
  ]);

async function loadRules(network: Network): Promise<void> {
  const mesh = table();
  const elements = vipListeners(mesh).flatMap((listener) =>
    elementsOf(
      listener,
      resolvedTargets(listener.targets, () => [], mesh.pools),
    ),
  );
  const prefixes = { ipv4: mesh.pools.map(({ ipv4 }) => ipv4), ipv6: mesh.pools.map(({ ipv6 }) => ipv6) };
  await must(...network.in('vm', 'nft', '-f', await network.file('vips.nft', wholeTable(prefixes, elements))));
  await must('ip', '-n', network.name('vm'), 'route', 'add', '240.240.0.0/16', 'dev', 'lo', 'mtu', '1500');
}

const ready = async (running: Promise<Running>, text: string): Promise<void> => (await running).says(text);

/**
 * A run would leave more connections in TIME_WAIT than there are ports, and those of one way would slow down the others:
 * the search for a free port then takes longer than the connection.
 */
async function withoutTimeWait(network: Network): Promise<void> {
  for (const place of ['vm', 'endpoint'] as const) {
    await must(...network.in(place, 'sysctl', '-qw', 'net.ipv4.tcp_max_tw_buckets=0'));
  }
}

/** A host, an endpoint that echoes and measures, and the ways between them. */
export async function openCarriers(): Promise<{ network: Network; carriers: readonly Carrier[] }> {
  const network = await Network.create();
  try {
    await withoutTimeWait(network);
    await ready(network.start('endpoint', node('responder.ts', ENDPOINT.v4, String(ECHO_PORT))), 'ready');
    await ready(network.start('endpoint', ['iperf3', '-s', '-p', String(IPERF_PORT), '--forceflush']), 'listening');
    for (const port of [ECHO_PORT, IPERF_PORT]) {
      const listen = [String(PROXY_PORTS[port]), ENDPOINT.v4, String(port)];
      await ready(network.start('vm', node('node-proxy.ts', '127.0.0.1', ...listen)), 'ready');
    }
    await loadRules(network);
  } catch (error) {
    await network.remove();
    throw error;
  }
  const same = (port: number) => port;
  const carriers = [
    { name: 'direct', address: ENDPOINT.v4, port: same },
    { name: 'VIP (nft)', address: '240.240.0.1', port: same },
    { name: 'Node proxy', address: '127.0.0.1', port: (port: number) => PROXY_PORTS[port] ?? port },
  ];
  return { network, carriers };
}
