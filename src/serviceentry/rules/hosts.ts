import type { Draft } from '../draft.ts';
import { items } from '../draft.ts';
import type { FieldError } from '../field-error.ts';
import { invalid } from '../field-error.ts';
import { hostProblem, isPartialWildcard } from '../host-name.ts';
import type { ServiceEntry } from '../service-entry.ts';
import type { Caution, Rule } from './rule.ts';
import { fieldRule } from './rule.ts';

function* syntax({ spec }: Draft): Generator<FieldError> {
  for (const [index, host] of items(spec.hosts)) {
    const problem = hostProblem(host);
    if (problem) yield invalid(`spec.hosts[${index}]`, host, problem);
  }
}

function* partialWildcards({ spec }: ServiceEntry): Generator<string> {
  if (spec.resolution === 'DYNAMIC_DNS') return;
  for (const [index, host] of spec.hosts.entries()) {
    if (isPartialWildcard(host)) {
      yield `spec.hosts[${index}]: "${host}" is a partial wildcard, which proxies honour only with resolution DYNAMIC_DNS`;
    }
  }
}

export const hostRules: readonly Rule[] = [fieldRule('hosts', syntax)];

export const hostCautions: readonly Caution[] = [partialWildcards];
