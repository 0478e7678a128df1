import type { ObjectMeta } from '../../serviceentry/service-entry.ts';
import type { SelectorReading } from './selector-reading.ts';

/** The fields of a CustomResourceDefinition's objects that Kubernetes selects by. */
const FIELDS: Readonly<Record<string, (metadata: ObjectMeta) => string>> = {
  'metadata.name': ({ name }) => name,
  'metadata.namespace': ({ namespace }) => namespace,
};

interface Term {
  readonly field: string;
  readonly negative: boolean;
  readonly value: string;
}

/** No name holds what a backslash would escape: a value with one matches nothing. */
function termOf(text: string): Term | undefined {
  const [, field = '', operator, value = ''] = /^([^=!]*)(==|!=|=)(.*)$/s.exec(text) ?? [];
  return operator === undefined ? undefined : { field, negative: operator === '!=', value };
}

export type FieldSelector = SelectorReading<ObjectMeta> & {
  /** The one name that can match, where the selector says so. */
  readonly name?: string;
};

/** Kubernetes' `fieldSelector`. */
export function readFieldSelector(text: string): FieldSelector {
  const terms: Term[] = [];
  for (const part of text.split(',').filter((one) => one !== '')) {
    const term = termOf(part);
    if (!term) return { ok: false, problem: `invalid selector: '${part}'; can't understand '${part}'` };
    if (!Object.hasOwn(FIELDS, term.field)) return { ok: false, problem: `field label not supported: ${term.field}` };
    terms.push(term);
  }
  const name = terms.find(({ field, negative }) => field === 'metadata.name' && !negative)?.value;
  return {
    ok: true,
    matches: (metadata) =>
      terms.every(({ field, negative, value }) => (FIELDS[field]?.(metadata) === value) !== negative),
    ...(name === undefined ? {} : { name }),
  };
}
