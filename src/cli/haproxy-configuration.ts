import { isIP } from 'node:net';
import { destinationOf, type ListenerTarget, type VipListener, vipListeners } from '../shim/vips/listeners.ts';
import { allowedAddress } from '../shim/vips/targets.ts';
import type { MeshTable } from '../table/mesh-table.ts';

export interface HaproxyOptions {
  /** `ADDRESS:PORT` of DNS servers that endpoint names are put to. They must not be meshdoh, which answers with the VIP. */
  readonly resolvers: readonly string[];
}

export interface HaproxyConfiguration {
  readonly text: string;
  /** What it cannot carry, a line each. */
  readonly omitted: readonly string[];
}

/** HAProxy takes letters, digits and these in a name. */
const nameOf = (listener: VipListener, family: string): string =>
  `${destinationOf(listener).replaceAll('|', ':')}.${family}`.replaceAll(/[^\w.:-]/g, '_');

const bracketed = (address: string): string => (isIP(address) === 6 ? `[${address}]` : address);

/** Weights of 1 to 256, in their proportions. */
function scaled(weights: readonly number[]): number[] {
  const largest = Math.max(...weights);
  return weights.map((weight) => (largest <= 256 ? weight : Math.max(1, Math.round((weight / largest) * 256))));
}

function serverLines({ targets }: VipListener): string[] {
  const weights = scaled(targets.map(({ weight }) => weight));
  return targets.map(({ address, port }, index) => {
    const resolved = isIP(address) === 0 ? ' resolvers outside resolve-prefer ipv4 init-addr last,none' : '';
    return `    server endpoint-${index + 1} ${bracketed(address)}:${port} weight ${weights[index]}${resolved}`;
  });
}

function section(listener: VipListener, family: 'ipv4' | 'ipv6'): string {
  const transparent = family === 'ipv6' ? ' transparent' : '';
  return [
    `listen ${nameOf(listener, family)}`,
    `    bind ${bracketed(listener[family])}:${listener.port}${transparent}`,
    ...serverLines(listener),
  ].join('\n');
}

const isByName = ({ targets }: VipListener): boolean => targets.some(({ address }) => isIP(address) === 0);

const HEAD = (
  pools: MeshTable['pools'],
): string => `# The virtual IPs of a mesh, for HAProxy 2.4 and later. Made by "meshdoh export haproxy".
# The host must accept connections to them as its own:
${pools.map(({ ipv4, ipv6 }) => `#   ip route add local ${ipv4} dev lo; ip -6 route add local ${ipv6} dev lo`).join('\n')}
defaults
    mode tcp
    balance roundrobin
    timeout connect 5s
    timeout client 1h
    timeout server 1h
`;

const resolversSection = (resolvers: readonly string[]): string => `
resolvers outside
${resolvers.map((address, index) => `    nameserver resolver-${index + 1} ${address}`).join('\n')}
    hold valid 10s
`;

/** The same listeners that a host's kernel would carry, for those who run a proxy instead. */
export function haproxyConfiguration(table: MeshTable, { resolvers }: HaproxyOptions): HaproxyConfiguration {
  const omitted: string[] = [];
  const allowed = vipListeners(table).map((listener) => {
    const isForbidden = ({ address }: ListenerTarget) => isIP(address) !== 0 && !allowedAddress(address, table.pools);
    for (const { address } of listener.targets.filter(isForbidden))
      omitted.push(`${destinationOf(listener)}: no VIP may lead to ${address}`);
    return { ...listener, targets: listener.targets.filter((target) => !isForbidden(target)) };
  });
  const carried = allowed.filter((listener) => {
    const why =
      listener.transport === 'udp'
        ? 'HAProxy carries no UDP'
        : listener.targets.length === 0
          ? 'it has no endpoint'
          : isByName(listener) && resolvers.length === 0
            ? 'its endpoint is a name: say with --resolver who resolves it, and is not meshdoh'
            : undefined;
    if (why !== undefined) omitted.push(`${destinationOf(listener)}: ${why}`);
    return why === undefined;
  });
  for (const { host, vip } of table.hosts) {
    if (vip !== undefined && host.startsWith('*.'))
      omitted.push(`${host}: only a proxy for HTTP or TLS sees its names`);
  }
  const sections = carried.flatMap((listener) => table.view.families.map((family) => section(listener, family)));
  const outside = carried.some(isByName) ? resolversSection(resolvers) : '';
  return { text: [HEAD(table.pools) + outside, ...sections, ''].join('\n'), omitted };
}
