import { parseAddress } from '../address.ts';
import type { Draft } from '../draft.ts';
import { items } from '../draft.ts';
import type { FieldError } from '../field-error.ts';
import { forbidden, invalid, required, tooLong, tooMany } from '../field-error.ts';
import { isFqdn, isLabel } from '../host-name.ts';
import { keyProblem, labelValueProblem } from '../label-syntax.ts';
import type { ServiceEntry } from '../service-entry.ts';
import { isPortNumber, PORT_NAME, PORT_RANGE } from './ports.ts';
import type { Caution, Rule } from './rule.ts';
import { fieldRule } from './rule.ts';

const UNIX = 'unix://';
const MAX_PORTS = 128;
const MAX_PORT_NAME_CHARACTERS = 62;
const MAX_LABELS = 256;

const isUnix = (address: string): boolean => address.startsWith(UNIX);

/** Abstract sockets (`@name`) have no path. */
function unixPathProblem(address: string): string | undefined {
  const path = address.slice(UNIX.length);
  if (path.startsWith('@')) return undefined;
  return path.startsWith('/') && !path.endsWith('/') ? undefined : 'must be unix://@name or unix:///path/of/a/socket';
}

function staticAddressProblem(address: string): string | undefined {
  if (isUnix(address)) return unixPathProblem(address);
  return parseAddress(address) ? undefined : 'must be an IP address or unix://… with resolution STATIC';
}

function* staticAddresses({ spec }: Draft): Generator<FieldError> {
  if (spec.resolution !== 'STATIC') return;
  for (const [index, { address = '', network = '' }] of items(spec.endpoints)) {
    const path = `spec.endpoints[${index}].address`;
    if (address === '') {
      if (network === '') yield required(path, 'an address, or a network');
      continue;
    }
    const problem = staticAddressProblem(address);
    if (problem) yield invalid(path, address, problem);
  }
}

function* staticUnixPorts({ spec }: Draft): Generator<FieldError> {
  if (spec.resolution !== 'STATIC') return;
  const servicePorts = spec.ports?.length ?? 0;
  for (const [index, { address = '', ports = {} }] of items(spec.endpoints)) {
    if (!isUnix(address)) continue;
    if (Object.keys(ports).length > 0)
      yield forbidden(`spec.endpoints[${index}].ports`, 'a unix endpoint has no ports');
    if (servicePorts !== 1) {
      yield invalid(
        `spec.endpoints[${index}].address`,
        address,
        'a unix endpoint needs exactly one port in spec.ports',
      );
    }
  }
}

function* dnsAddresses({ spec }: Draft): Generator<FieldError> {
  if (spec.resolution !== 'DNS' && spec.resolution !== 'DNS_ROUND_ROBIN') return;
  for (const [index, { address = '' }] of items(spec.endpoints)) {
    const path = `spec.endpoints[${index}].address`;
    if (address === '') yield required(path, 'an IP address or a name');
    else if (!parseAddress(address) && !isFqdn(address)) {
      yield invalid(
        path,
        address,
        `must be an IP address or a fully qualified name with resolution ${spec.resolution}`,
      );
    }
  }
}

function* ports({ spec }: Draft): Generator<FieldError> {
  const defined = new Set((spec.ports ?? []).map((port) => port?.name));
  // A port of the wrong shape may be the one that is meant.
  const complete = !defined.has(undefined);
  for (const [index, endpoint] of items(spec.endpoints)) {
    for (const [name, number] of Object.entries(endpoint.ports ?? {})) {
      const path = `spec.endpoints[${index}].ports[${name}]`;
      if (!isLabel(name)) yield invalid(path, name, PORT_NAME);
      else if (complete && !defined.has(name)) yield invalid(path, name, 'spec.ports has no port of that name');
      if (!isPortNumber(number)) yield invalid(path, number, PORT_RANGE);
    }
  }
}

function* labels({ spec }: Draft): Generator<FieldError> {
  for (const [index, endpoint] of items(spec.endpoints)) {
    const path = `spec.endpoints[${index}].labels`;
    for (const [key, value] of Object.entries(endpoint.labels ?? {})) {
      // Istio allows upper case in the prefix, Kubernetes does not: these labels never reach Kubernetes.
      const problem = keyProblem(key.toLowerCase());
      if (problem) yield invalid(path, key, problem);
      const valueProblem = labelValueProblem(value);
      if (valueProblem) yield invalid(`${path}[${key}]`, value, valueProblem);
    }
  }
}

function* mapSizes({ spec }: Draft): Generator<FieldError> {
  for (const [index, endpoint] of items(spec.endpoints)) {
    const path = `spec.endpoints[${index}]`;
    const portNames = Object.keys(endpoint.ports ?? {});
    if (portNames.length > MAX_PORTS) yield tooMany(`${path}.ports`, portNames.length, MAX_PORTS);
    for (const name of portNames.filter((text) => text.length > MAX_PORT_NAME_CHARACTERS)) {
      yield tooLong(`${path}.ports[${name}]`, `${MAX_PORT_NAME_CHARACTERS} characters`);
    }
    const labelCount = Object.keys(endpoint.labels ?? {}).length;
    if (labelCount > MAX_LABELS) yield tooMany(`${path}.labels`, labelCount, MAX_LABELS);
  }
}

function* addressUnset({ spec }: ServiceEntry): Generator<string> {
  if (spec.resolution !== 'STATIC') return;
  for (const [index, { address = '', network }] of (spec.endpoints ?? []).entries()) {
    if (address === '') yield `spec.endpoints[${index}].address: is unset, with network "${network}"`;
  }
}

export const endpointRules: readonly Rule[] = [
  { reads: ['endpoints', 'resolution'], check: staticAddresses },
  { reads: ['endpoints', 'resolution', 'ports'], check: staticUnixPorts },
  { reads: ['endpoints', 'resolution'], check: dnsAddresses },
  { reads: ['endpoints', 'ports'], check: ports },
  fieldRule('endpoints', labels),
  fieldRule('endpoints', mapSizes),
];

export const endpointCautions: readonly Caution[] = [addressUnset];
