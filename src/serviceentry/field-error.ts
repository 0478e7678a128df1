/** The cause reasons of a Kubernetes `Status` of reason Invalid. */
export type FieldErrorReason =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueTypeInvalid'
  | 'FieldValueDuplicate'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany';

/** What is wrong with one field of an object. */
export interface FieldError {
  /** `spec.ports[1].number`, `metadata.labels[app]`; empty for the whole object. */
  readonly path: string;
  readonly reason: FieldErrorReason;
  readonly message: string;
}

export type PathSegment = string | number;

const SHOWN_CHARACTERS = 80;

/** A value as a message shows it: strings quoted and cut, lists and objects by their kind only. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value);
  }
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

export const required = (path: string, why: string): FieldError => ({
  path,
  reason: 'FieldValueRequired',
  message: `Required value: ${why}`,
});

export const invalid = (path: string, value: unknown, why: string): FieldError => ({
  path,
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${shown(value)}: ${why}`,
});

export const wrongType = (path: string, value: unknown, why: string): FieldError => ({
  path,
  reason: 'FieldValueTypeInvalid',
  message: `Invalid value: ${shown(value)}: ${why}`,
});

export const unknownField = (path: string, key: string): FieldError => ({
  path,
  reason: 'FieldValueInvalid',
  message: `unknown field ${shown(key)}`,
});

export const duplicate = (path: string, value: unknown): FieldError => ({
  path,
  reason: 'FieldValueDuplicate',
  message: `Duplicate value: ${shown(value)}`,
});

export const notSupported = (path: string, value: unknown, supported: readonly string[]): FieldError => ({
  path,
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: ${shown(value)}: supported values: ${supported.map(shown).join(', ')}`,
});

export const forbidden = (path: string, why: string): FieldError => ({
  path,
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${why}`,
});

export const tooLong = (path: string, limit: string): FieldError => ({
  path,
  reason: 'FieldValueTooLong',
  message: `Too long: may not be more than ${limit}`,
});

export const tooMany = (path: string, count: number, limit: number): FieldError => ({
  path,
  reason: 'FieldValueTooMany',
  message: `Too many: ${count}: must have at most ${limit} items`,
});

/** Fields whose keys are the user's own, so that a key may itself hold dots. */
const MAPS = new Set<PathSegment | undefined>(['labels', 'annotations', 'ports']);

/** `['spec', 'ports', 1, 'number']` → `spec.ports[1].number`. */
export function formatPath(path: readonly PathSegment[]): string {
  return path.reduce<string>((text, segment, at) => {
    if (typeof segment === 'number' || MAPS.has(path[at - 1])) return `${text}[${segment}]`;
    return text === '' ? segment : `${text}.${segment}`;
  }, '');
}
