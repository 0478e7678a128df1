import type { Draft } from '../draft.ts';
import type { FieldError } from '../field-error.ts';
import { forbidden, invalid, tooLong, tooMany } from '../field-error.ts';
import type { ServiceEntry } from '../service-entry.ts';
import type { Caution, Rule } from './rule.ts';
import { fieldRule } from './rule.ts';

const LABELS = 'spec.workloadSelector.labels';
const MAX_LABELS = 256;
const MAX_VALUE_CHARACTERS = 63;

const labelsOf = (spec: Draft['spec']): [string, string | undefined][] =>
  Object.entries(spec.workloadSelector?.labels ?? {});

function* keys({ spec }: Draft): Generator<FieldError> {
  for (const [key] of labelsOf(spec)) {
    if (key === '') yield invalid(LABELS, key, 'a label key must not be empty');
    else if (key.includes('*')) yield invalid(LABELS, key, 'a label key must not have a wildcard');
  }
}

function* values({ spec }: Draft): Generator<FieldError> {
  for (const [key, value] of labelsOf(spec)) {
    if (value === undefined) continue;
    const path = `${LABELS}[${key}]`;
    if (value.includes('*')) yield invalid(path, value, 'a label value must not have a wildcard');
    if (value.length > MAX_VALUE_CHARACTERS) yield tooLong(path, `${MAX_VALUE_CHARACTERS} characters`);
  }
}

function* size({ spec }: Draft): Generator<FieldError> {
  const count = labelsOf(spec).length;
  if (count > MAX_LABELS) yield tooMany(LABELS, count, MAX_LABELS);
}

function* excludesEndpoints({ spec }: Draft): Generator<FieldError> {
  if (spec.workloadSelector && spec.endpoints) {
    yield forbidden('spec.workloadSelector', 'only one of workloadSelector and endpoints may be set');
  }
}

function* selectsAll({ spec }: ServiceEntry): Generator<string> {
  if (spec.workloadSelector && Object.keys(spec.workloadSelector.labels ?? {}).length === 0) {
    yield 'spec.workloadSelector: has no labels, so it selects every workload of the namespace';
  }
}

function* selectsInVain({ spec }: ServiceEntry): Generator<string> {
  const { resolution = 'NONE', workloadSelector } = spec;
  if (workloadSelector && resolution !== 'STATIC') {
    yield `spec.workloadSelector: should not be set with resolution ${resolution}`;
  }
}

export const selectorRules: readonly Rule[] = [
  ...[keys, values, size].map((check) => fieldRule('workloadSelector', check)),
  { reads: ['workloadSelector', 'endpoints'], check: excludesEndpoints },
];

export const selectorCautions: readonly Caution[] = [selectsAll, selectsInVain];
