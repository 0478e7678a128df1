import type { Draft } from '../draft.ts';
import { items, repeated } from '../draft.ts';
import type { FieldError } from '../field-error.ts';
import { duplicate, forbidden, invalid } from '../field-error.ts';
import { isLabel } from '../host-name.ts';
import type { Rule } from './rule.ts';
import { fieldRule } from './rule.ts';

const WORDS = ['.', '*', '~'];

function* syntax({ spec }: Draft): Generator<FieldError> {
  for (const [index, target] of items(spec.exportTo)) {
    if (WORDS.includes(target) || isLabel(target)) continue;
    yield invalid(`spec.exportTo[${index}]`, target, 'must be ".", "*", "~" or the name of a namespace');
  }
}

function* unique({ metadata, spec }: Draft): Generator<FieldError> {
  const namespaceOf = (target: string): string => (target === '.' ? metadata.namespace : target);
  for (const [index] of repeated(spec.exportTo, namespaceOf)) {
    yield duplicate(`spec.exportTo[${index}]`, spec.exportTo?.[index]);
  }
}

/** `*` and `~` say everything there is to say. */
function* standAlone({ spec }: Draft): Generator<FieldError> {
  const targets = spec.exportTo ?? [];
  for (const word of ['*', '~']) {
    if (targets.includes(word) && targets.some((target) => target !== word)) {
      yield forbidden('spec.exportTo', `"${word}" allows no other item`);
    }
  }
}

export const exportToRules: readonly Rule[] = [
  fieldRule('exportTo', syntax),
  { reads: ['exportTo', 'namespace'], check: unique },
  fieldRule('exportTo', standAlone),
];
