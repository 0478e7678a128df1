import type { Found, Holder, RegistryReader } from '../registry/reader.ts';
import type { HostAnswer } from '../table/host.ts';
import type { MeshTable, TableHost } from '../table/mesh-table.ts';
import { namesAbove } from '../table/names-above.ts';

function hostAnswer({ host, namespace, owned, addresses, vip, ports, ttl }: TableHost): HostAnswer {
  const isVip = vip !== undefined && addresses.some((address) => address === vip.ipv4 || address === vip.ipv6);
  return { host, namespace, owned, addresses, vip: isVip, ports, ttl };
}

/**
 * A view's table as the registry that the resolver reads: for that view only, never out of reach. `stale`: it cannot be
 * confirmed now, and its answers say so.
 */
export function tableReader(table: MeshTable, stale = false): RegistryReader {
  const answers = new Map(table.hosts.map((host) => [host.host, hostAnswer(host)]));
  const above: ReadonlySet<string> = new Set(table.hosts.flatMap(({ host }) => namesAbove(host)));
  const prefixes = table.pools.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
  const holders = new Map(
    [...answers.values()].flatMap(({ host, vip, addresses }) =>
      vip ? addresses.map((address) => [address, host] as const) : [],
    ),
  );
  return {
    async find({ hosts, below }): Promise<Found> {
      const found = hosts.flatMap((host) => answers.get(host) ?? []);
      return {
        state: 'known',
        stale,
        hosts: new Map(found.map((answer) => [answer.host, answer])),
        existsBelow: below !== undefined && above.has(below),
      };
    },
    vipPrefixes: async () => ({ state: 'known', prefixes }),
    async holderOf(address): Promise<Holder> {
      const host = holders.get(address);
      return host === undefined ? { state: 'free', stale } : { state: 'held', host, stale };
    },
  };
}
