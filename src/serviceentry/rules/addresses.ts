import { addressItem } from '../address.ts';
import type { Draft } from '../draft.ts';
import { items } from '../draft.ts';
import type { FieldError } from '../field-error.ts';
import { forbidden, invalid } from '../field-error.ts';
import type { ServiceEntry } from '../service-entry.ts';
import type { Caution, Rule } from './rule.ts';
import { fieldRule } from './rule.ts';

function* syntax({ spec }: Draft): Generator<FieldError> {
  for (const [index, address] of items(spec.addresses)) {
    if (!addressItem(address)) yield invalid(`spec.addresses[${index}]`, address, 'must be an IP address or a CIDR');
  }
}

function* cidrsNeedNoneOrStatic({ spec }: Draft): Generator<FieldError> {
  const { resolution = 'NONE' } = spec;
  // DYNAMIC_DNS forbids addresses of any kind, and says so itself.
  if (resolution !== 'DNS' && resolution !== 'DNS_ROUND_ROBIN') return;
  for (const [index, address] of items(spec.addresses)) {
    if (address.includes('/')) {
      yield forbidden(`spec.addresses[${index}]`, `a CIDR needs resolution NONE or STATIC, not ${resolution}`);
    }
  }
}

function* zones({ spec }: ServiceEntry): Generator<string> {
  for (const [index, address] of (spec.addresses ?? []).entries()) {
    if (addressItem(address)?.kind === 'zoned') {
      yield `spec.addresses[${index}]: "${address}" has a zone, so no DNS answer can carry it`;
    }
  }
}

export const addressRules: readonly Rule[] = [
  fieldRule('addresses', syntax),
  { reads: ['addresses', 'resolution'], check: cidrsNeedNoneOrStatic },
];

export const addressCautions: readonly Caution[] = [zones];
