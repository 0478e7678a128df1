import type { ClaimPort, HostClaim } from '../serviceentry/claim.ts';
import type { TableEndpoint, TableHost } from './mesh-table.ts';

const isResolvedByName = ({ resolution }: Pick<HostClaim, 'resolution'>): boolean =>
  resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN';

const weightOf = ({ weight = 1 }: TableEndpoint): number => weight;

/** Where one claim sends connections: its endpoints, or, resolved by name and without any, the host itself. */
function claimEndpoints(claim: HostClaim, all: readonly TableEndpoint[]): readonly TableEndpoint[] {
  const weighted = all.filter((endpoint) => weightOf(endpoint) > 0);
  if (weighted.length > 0 || !isResolvedByName(claim)) return weighted;
  return all.length > 0 ? all.slice(0, 1) : [{ address: claim.host }];
}

const numbersOf = ({ ports }: HostClaim): string =>
  ports
    .map(({ number }) => number)
    .sort((a, b) => a - b)
    .join();

/**
 * The endpoints of all claims together. An endpoint serves the ports of its own entry only, which is said where
 * entries differ in them. None stands for the host's own name, where that is all there is.
 */
export function mergedEndpoints(
  host: string,
  claims: readonly HostClaim[],
  endpointsOf: (claim: HostClaim) => readonly TableEndpoint[],
): readonly TableEndpoint[] {
  const differ = new Set(claims.map(numbersOf)).size > 1;
  const distinct = new Map<string, TableEndpoint>();
  for (const claim of claims) {
    const serves = differ ? { serves: claim.ports.map(({ number }) => number) } : {};
    for (const endpoint of claimEndpoints(claim, endpointsOf(claim))) {
      const served = { ...endpoint, ...serves };
      distinct.set(JSON.stringify(served), served);
    }
  }
  const endpoints = [...distinct.values()];
  const [only] = endpoints;
  const isOwnName = endpoints.length === 1 && only?.address === host && Object.keys(only).length === 1;
  return isOwnName && claims.every(isResolvedByName) ? [] : endpoints;
}

/** Where connections to one port of a host go. */
export interface Target {
  /** An IP address, or a name to resolve on the client's side. */
  readonly address: string;
  readonly port: number;
  /** Share of new connections, at least 1. */
  readonly weight: number;
}

/** The targets behind one port of a VIP, as its table says; none: nothing is to be reached. */
export function targetsOf(host: TableHost, port: ClaimPort): readonly Target[] {
  const usual = port.targetPort ?? port.number;
  if (host.vip && host.endpoints.length === 0 && isResolvedByName(host)) {
    return [{ address: host.host, port: usual, weight: 1 }];
  }
  return host.endpoints
    .filter((endpoint) => weightOf(endpoint) > 0 && (endpoint.serves?.includes(port.number) ?? true))
    .map((endpoint) => ({
      address: endpoint.address,
      port: endpoint.ports?.[port.number] ?? usual,
      weight: weightOf(endpoint),
    }));
}
