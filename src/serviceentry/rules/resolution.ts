import type { Draft } from '../draft.ts';
import { items } from '../draft.ts';
import type { FieldError } from '../field-error.ts';
import { forbidden, invalid, notSupported, required, tooMany } from '../field-error.ts';
import { hostProblem, isFqdn } from '../host-name.ts';
import { DYNAMIC_DNS_PROTOCOLS, isTcpLike, namesItsHost, protocolOf } from '../protocol.ts';
import type { ServiceEntry } from '../service-entry.ts';
import type { Caution, Rule } from './rule.ts';

const WAYPOINT_LABEL = 'istio.io/use-waypoint';

const resolutionOf = ({ spec }: Draft) => spec.resolution ?? 'NONE';

const isDns = (draft: Draft): boolean => draft.spec.resolution === 'DNS' || draft.spec.resolution === 'DNS_ROUND_ROBIN';

const count = (list: readonly unknown[] | undefined): number => list?.length ?? 0;

function* noneHasNoEndpoints(draft: Draft): Generator<FieldError> {
  if (resolutionOf(draft) === 'NONE' && count(draft.spec.endpoints) > 0) {
    yield forbidden('spec.endpoints', 'resolution NONE (the default) has no endpoints');
  }
}

function* dnsWithoutEndpointsNeedsFqdns(draft: Draft): Generator<FieldError> {
  if (!isDns(draft) || count(draft.spec.endpoints) > 0) return;
  for (const [index, host] of items(draft.spec.hosts)) {
    if (isFqdn(host) || hostProblem(host)) continue;
    const why = `must be a fully qualified name where resolution ${draft.spec.resolution} has no endpoints`;
    yield invalid(`spec.hosts[${index}]`, host, why);
  }
}

function* roundRobinHasOneEndpoint({ spec }: Draft): Generator<FieldError> {
  const endpoints = count(spec.endpoints);
  if (spec.resolution === 'DNS_ROUND_ROBIN' && endpoints > 1) yield tooMany('spec.endpoints', endpoints, 1);
}

function* dynamicDnsNeedsWildcards({ spec }: Draft): Generator<FieldError> {
  if (spec.resolution !== 'DYNAMIC_DNS') return;
  for (const [index, host] of items(spec.hosts)) {
    if (!host.startsWith('*') && !hostProblem(host)) {
      yield invalid(`spec.hosts[${index}]`, host, 'must be a wildcard with resolution DYNAMIC_DNS');
    }
  }
}

function* dynamicDnsHasNoAddresses({ spec }: Draft): Generator<FieldError> {
  if (spec.resolution === 'DYNAMIC_DNS' && count(spec.addresses) > 0) {
    yield forbidden('spec.addresses', 'resolution DYNAMIC_DNS takes each destination from the request');
  }
}

function* dynamicDnsHasNoEndpoints({ spec }: Draft): Generator<FieldError> {
  if (spec.resolution === 'DYNAMIC_DNS' && count(spec.endpoints) > 0) {
    yield forbidden('spec.endpoints', 'resolution DYNAMIC_DNS takes each destination from the request');
  }
}

function* dynamicDnsProtocols({ spec }: Draft): Generator<FieldError> {
  if (spec.resolution !== 'DYNAMIC_DNS') return;
  for (const [index, port] of items(spec.ports)) {
    const path = `spec.ports[${index}].protocol`;
    const protocol = protocolOf(port);
    if (protocol === '') yield required(path, 'resolution DYNAMIC_DNS does not sniff');
    else if (!DYNAMIC_DNS_PROTOCOLS.includes(protocol)) yield notSupported(path, port.protocol, DYNAMIC_DNS_PROTOCOLS);
  }
}

/** The waypoint would resolve the name inside the mesh, where it has no address. */
function* dynamicDnsInsideHasNoWaypoint({ metadata, spec }: Draft): Generator<FieldError> {
  if (spec.resolution !== 'DYNAMIC_DNS' || spec.location !== 'MESH_INTERNAL') return;
  const waypoint = metadata.labels?.[WAYPOINT_LABEL] ?? '';
  if (waypoint !== '' && waypoint !== 'none') {
    yield forbidden('spec.location', `MESH_INTERNAL with resolution DYNAMIC_DNS allows no label ${WAYPOINT_LABEL}`);
  }
}

/** Plain TCP does not say which of the hosts a connection is for. */
function* severalHostsNeedNamedTraffic(draft: Draft): Generator<FieldError> {
  if (resolutionOf(draft) === 'NONE' || count(draft.spec.hosts) < 2) return;
  for (const [index, port] of items(draft.spec.ports)) {
    if (namesItsHost(protocolOf(port))) continue;
    const why = 'an entry of several hosts needs ports of HTTP or TLS protocols';
    yield invalid(`spec.ports[${index}].protocol`, port.protocol ?? '', why);
  }
}

function* severalHostsBehindOneAddress({ spec }: ServiceEntry): Generator<string> {
  if (spec.resolution !== 'DNS' && spec.resolution !== 'DNS_ROUND_ROBIN') return;
  if (count(spec.addresses) === 0 || spec.hosts.length < 2) return;
  if ((spec.ports ?? []).some((port) => isTcpLike(protocolOf(port)))) {
    yield 'spec.hosts: several hosts share spec.addresses and a TCP port, which does not tell them apart';
  }
}

export const resolutionRules: readonly Rule[] = [
  { reads: ['resolution', 'endpoints'], check: noneHasNoEndpoints },
  { reads: ['resolution', 'endpoints', 'hosts'], check: dnsWithoutEndpointsNeedsFqdns },
  { reads: ['resolution', 'endpoints'], check: roundRobinHasOneEndpoint },
  { reads: ['resolution', 'hosts'], check: dynamicDnsNeedsWildcards },
  { reads: ['resolution', 'addresses'], check: dynamicDnsHasNoAddresses },
  { reads: ['resolution', 'endpoints'], check: dynamicDnsHasNoEndpoints },
  { reads: ['resolution', 'ports'], check: dynamicDnsProtocols },
  { reads: ['resolution', 'location', 'labels'], check: dynamicDnsInsideHasNoWaypoint },
  { reads: ['resolution', 'hosts', 'ports'], check: severalHostsNeedNamedTraffic },
];

export const resolutionCautions: readonly Caution[] = [severalHostsBehindOneAddress];
