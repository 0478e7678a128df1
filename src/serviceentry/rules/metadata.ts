import type { Draft } from '../draft.ts';
import { parseTtl, TTL_ANNOTATION } from '../entry-ttl.ts';
import type { FieldError } from '../field-error.ts';
import { invalid, required, tooLong } from '../field-error.ts';
import { keyProblem, labelValueProblem } from '../label-syntax.ts';
import type { Rule } from './rule.ts';
import { fieldRule } from './rule.ts';

const MAX_ANNOTATION_OCTETS = 256 * 1024;
const LOWER_LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;

function* name({ metadata }: Draft): Generator<FieldError> {
  const { name: text } = metadata;
  if (text === undefined) return;
  if (text === '') yield required('metadata.name', 'a name');
  else if (text.length > 253 || !text.split('.').every((label) => LOWER_LABEL.test(label))) {
    yield invalid(
      'metadata.name',
      text,
      'must be a lower case DNS-1123 subdomain: at most 253 letters, digits, hyphens and dots, with a letter or digit at both ends of each part',
    );
  }
}

function* namespace({ metadata }: Draft): Generator<FieldError> {
  const text = metadata.namespace;
  if (text.length <= 63 && LOWER_LABEL.test(text)) return;
  yield invalid(
    'metadata.namespace',
    text,
    'must be a lower case DNS-1123 label: at most 63 letters, digits and hyphens, with a letter or digit at both ends',
  );
}

function* labels({ metadata }: Draft): Generator<FieldError> {
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    const problem = keyProblem(key);
    if (problem) yield invalid('metadata.labels', key, problem);
    const valueProblem = value === undefined ? undefined : labelValueProblem(value);
    if (valueProblem) yield invalid(`metadata.labels[${key}]`, value, valueProblem);
  }
}

function* annotations({ metadata }: Draft): Generator<FieldError> {
  let octets = 0;
  for (const [key, value = ''] of Object.entries(metadata.annotations ?? {})) {
    // Kubernetes, too, lets annotation keys differ from label keys in this alone.
    const problem = keyProblem(key.toLowerCase());
    if (problem) yield invalid('metadata.annotations', key, problem);
    octets += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (octets > MAX_ANNOTATION_OCTETS) yield tooLong('metadata.annotations', `${MAX_ANNOTATION_OCTETS} octets in all`);
}

function* ttl({ metadata }: Draft): Generator<FieldError> {
  const text = metadata.annotations?.[TTL_ANNOTATION];
  if (text === undefined || parseTtl(text) !== undefined) return;
  yield invalid(`metadata.annotations[${TTL_ANNOTATION}]`, text, 'must be whole seconds from 1 to 3600');
}

export const metadataRules: readonly Rule[] = [
  fieldRule('name', name),
  fieldRule('namespace', namespace),
  fieldRule('labels', labels),
  fieldRule('annotations', annotations),
  fieldRule('annotations', ttl),
];
