import { addressItem, addressText, parseAddress } from './address.ts';
import { allowsAutoAllocation } from './auto-allocation.ts';
import type { ClaimPort, HostClaim, Resolution } from './claim.ts';
import { parseTtl, TTL_ANNOTATION } from './entry-ttl.ts';
import { canonicalHost, isAskable, isWildcard } from './host-name.ts';
import { protocolOf } from './protocol.ts';
import type { ServiceEntry, ServiceEntryPort, ServiceEntrySpec } from './service-entry.ts';

/** An entry that is not stored yet is the youngest of all. */
const NOT_YET_CREATED = '9999-12-31T23:59:59Z';

const distinct = (texts: readonly string[]): string[] => [...new Set(texts)];

const isPresent = <T>(value: T | undefined): value is T => value !== undefined;

function addressTexts(spec: ServiceEntrySpec, kind: 'address' | 'cidr'): string[] {
  const items = (spec.addresses ?? []).map(addressItem).filter(isPresent);
  return distinct(items.flatMap((item) => (item.kind === kind ? [item.text] : [])));
}

function endpointAddresses(spec: ServiceEntrySpec, resolution: Resolution): string[] {
  if (resolution !== 'STATIC') return [];
  const parsed = (spec.endpoints ?? [])
    .filter((endpoint) => endpoint.weight !== 0)
    .map((endpoint) => parseAddress(endpoint.address ?? ''))
    .filter(isPresent);
  return distinct(parsed.filter(({ zoned }) => !zoned).map(({ ip }) => addressText(ip)));
}

const claimPort = (port: ServiceEntryPort): ClaimPort => ({
  name: port.name,
  number: port.number,
  protocol: protocolOf(port),
  ...(port.targetPort === undefined ? {} : { targetPort: port.targetPort }),
});

/**
 * What a valid entry says of its hosts: one claim for each distinct host, in the order of the entry.
 * A host that no question can match still has its claim, but never wants a VIP.
 */
export function claimsOf({ metadata, spec }: ServiceEntry): HostClaim[] {
  const resolution = spec.resolution ?? 'NONE';
  const ttl = parseTtl(metadata.annotations?.[TTL_ANNOTATION] ?? '');
  const allocates = allowsAutoAllocation(resolution, metadata.labels) && (spec.addresses ?? []).length === 0;
  const said: Omit<HostClaim, 'host' | 'wantsVip'> = {
    namespace: metadata.namespace,
    entry: metadata.name,
    exportTo: spec.exportTo ?? [],
    resolution,
    addresses: addressTexts(spec, 'address'),
    cidrs: addressTexts(spec, 'cidr'),
    endpoints: endpointAddresses(spec, resolution),
    ports: (spec.ports ?? []).map(claimPort),
    createdAt: metadata.creationTimestamp ?? NOT_YET_CREATED,
    ...(ttl === undefined ? {} : { ttl }),
  };
  return distinct(spec.hosts.map(canonicalHost)).map((host) => ({
    host,
    ...said,
    wantsVip: allocates && isAskable(host) && (!isWildcard(host) || resolution === 'DYNAMIC_DNS'),
  }));
}
