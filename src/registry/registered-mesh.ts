import { addressText, parseAddress } from '../serviceentry/address.ts';
import type { HostClaim } from '../serviceentry/claim.ts';
import { claimsOf } from '../serviceentry/claims.ts';
import { canonicalHost, isFqdn } from '../serviceentry/host-name.ts';
import type { ServiceEntry, WorkloadEntry } from '../serviceentry/service-entry.ts';
import type { NamespaceRecord, VipAddresses } from '../table/host.ts';
import type { TableEndpoint } from '../table/mesh-table.ts';
import type { RegisteredHost } from '../table/registered-host.ts';

/** Something to connect to: an IP, or a name; no socket of a file system, and no address of one link only. */
function endpointAddress(text: string): string | undefined {
  const parsed = parseAddress(text);
  if (parsed) return parsed.zoned ? undefined : addressText(parsed.ip);
  return isFqdn(text) ? canonicalHost(text) : undefined;
}

/** Its own target ports, by the port numbers of the entry, where they differ from what the entry's ports say. */
function ownPorts({ ports = {} }: WorkloadEntry, claim: HostClaim): Record<number, number> {
  return Object.fromEntries(
    claim.ports.flatMap(({ name, number, targetPort = number }) => {
      const own = Object.hasOwn(ports, name) ? ports[name] : undefined;
      return own === undefined || own === targetPort ? [] : [[number, own]];
    }),
  );
}

function tableEndpoints({ spec }: ServiceEntry, claim: HostClaim): TableEndpoint[] {
  return (spec.endpoints ?? []).flatMap((endpoint) => {
    const address = endpointAddress(endpoint.address ?? '');
    if (address === undefined) return [];
    const ports = ownPorts(endpoint, claim);
    const { weight = 1 } = endpoint;
    return [{ address, ...(Object.keys(ports).length > 0 ? { ports } : {}), ...(weight === 1 ? {} : { weight }) }];
  });
}

/** What `status` says was allocated, by host. */
function vipsOf({ status }: ServiceEntry): Map<string, VipAddresses> {
  const vips = new Map<string, VipAddresses>();
  for (const { host, value } of status?.addresses ?? []) {
    const family = value.includes(':') ? 'ipv6' : 'ipv4';
    vips.set(host, { ...(vips.get(host) ?? { ipv4: '', ipv6: '' }), [family]: value });
  }
  return vips;
}

interface Gathered {
  readonly namespaces: Map<string, { claims: HostClaim[]; vip: VipAddresses | undefined }>;
  readonly endpoints: Map<HostClaim, readonly TableEndpoint[]>;
}

const namespaceRecord = ([namespace, { claims, vip }]: [
  string,
  { claims: HostClaim[]; vip: VipAddresses | undefined },
]): NamespaceRecord => ({ namespace, claims, ...(vip ? { vip } : {}) });

/**
 * All hosts from the entries that claim them. Every entry's status holds the live VIP of each of its hosts that wants
 * one: a VIP never moves while an entry wants it, and one that is given anew is given to an entry that is written anew.
 */
export function registeredHosts(entries: Iterable<ServiceEntry>): RegisteredHost[] {
  const hosts = new Map<string, Gathered>();
  for (const entry of entries) {
    const vips = vipsOf(entry);
    for (const claim of claimsOf(entry)) {
      const gathered = hosts.get(claim.host) ?? { namespaces: new Map(), endpoints: new Map() };
      hosts.set(claim.host, gathered);
      const { claims, vip } = gathered.namespaces.get(claim.namespace) ?? { claims: [], vip: undefined };
      const held = vip ?? (claim.wantsVip ? vips.get(claim.host) : undefined);
      gathered.namespaces.set(claim.namespace, { claims: [...claims, claim], vip: held });
      gathered.endpoints.set(claim, tableEndpoints(entry, claim));
    }
  }
  return [...hosts].map(([host, { namespaces, endpoints }]) => ({
    record: { host, namespaces: [...namespaces].map(namespaceRecord) },
    endpoints,
  }));
}
