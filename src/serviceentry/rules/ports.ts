import { allowsAutoAllocation } from '../auto-allocation.ts';
import type { Draft } from '../draft.ts';
import { items, repeated } from '../draft.ts';
import type { FieldError } from '../field-error.ts';
import { duplicate, invalid, notSupported } from '../field-error.ts';
import { isLabel } from '../host-name.ts';
import { isKnown, PROTOCOLS, protocolOf } from '../protocol.ts';
import type { ServiceEntry } from '../service-entry.ts';
import type { Caution, Rule } from './rule.ts';
import { fieldRule } from './rule.ts';

export const isPortNumber = (number: number): boolean => number >= 1 && number <= 65_535;

export const PORT_RANGE = 'must be from 1 to 65535';

export const PORT_NAME = 'must be a DNS-1123 label: at most 63 letters, digits and inner hyphens';

function* uniqueNames({ spec }: Draft): Generator<FieldError> {
  for (const [index, name] of repeated(spec.ports, (port) => port.name)) {
    yield duplicate(`spec.ports[${index}].name`, name);
  }
}

function* uniqueNumbers({ spec }: Draft): Generator<FieldError> {
  for (const [index, number] of repeated(spec.ports, (port) => port.number)) {
    yield duplicate(`spec.ports[${index}].number`, number);
  }
}

function* numbers({ spec }: Draft): Generator<FieldError> {
  for (const [index, { number }] of items(spec.ports)) {
    if (number !== undefined && !isPortNumber(number)) yield invalid(`spec.ports[${index}].number`, number, PORT_RANGE);
  }
}

function* targetPorts({ spec }: Draft): Generator<FieldError> {
  for (const [index, { targetPort }] of items(spec.ports)) {
    if (targetPort !== undefined && !isPortNumber(targetPort)) {
      yield invalid(`spec.ports[${index}].targetPort`, targetPort, PORT_RANGE);
    }
  }
}

function* names({ spec }: Draft): Generator<FieldError> {
  for (const [index, { name }] of items(spec.ports)) {
    if (name !== undefined && !isLabel(name)) yield invalid(`spec.ports[${index}].name`, name, PORT_NAME);
  }
}

function* protocols({ spec }: Draft): Generator<FieldError> {
  for (const [index, port] of items(spec.ports)) {
    if (!isKnown(protocolOf(port))) {
      yield notSupported(`spec.ports[${index}].protocol`, port.protocol, PROTOCOLS);
    }
  }
}

/** Without an address of its own, nothing tells the connections of such a port from another host's. */
function* tcpWithoutAddress({ metadata, spec }: ServiceEntry): Generator<string> {
  if ((spec.addresses ?? []).length > 0) return;
  if (allowsAutoAllocation(spec.resolution ?? 'NONE', metadata.labels)) return;
  for (const [index, { protocol = '' }] of (spec.ports ?? []).entries()) {
    if (protocol === '' || protocol === 'TCP') {
      yield `spec.ports[${index}]: a port with protocol TCP or none needs spec.addresses where no address is allocated`;
    }
  }
}

export const portRules: readonly Rule[] = [uniqueNames, uniqueNumbers, numbers, targetPorts, names, protocols].map(
  (check) => fieldRule('ports', check),
);

export const portCautions: readonly Caution[] = [tcpWithoutAddress];
