import { formatPath, type PathSegment } from '../../serviceentry/field-error.ts';
import { unknownFields } from '../../serviceentry/schema.ts';
import { badRequest } from '../api.ts';
import type { Status } from '../status.ts';

/** What becomes of fields that the kind does not know. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

const KNOWN: readonly string[] = ['Ignore', 'Warn', 'Strict'] satisfies FieldValidation[];

/** Strict unless the client says otherwise: an address that is silently not there is worse than an error. */
export function readFieldValidation(text: string | undefined): FieldValidation | Status {
  if (text === undefined || text === '') return 'Strict';
  if (KNOWN.includes(text)) return text as FieldValidation;
  const supported = KNOWN.map((value) => JSON.stringify(value)).join(', ');
  return badRequest(`fieldValidation: Unsupported value: ${JSON.stringify(text)}: supported values: ${supported}`);
}

type Container = Record<PathSegment, unknown>;

function remove(value: unknown, path: readonly PathSegment[]): void {
  const last = path.at(-1);
  const parent = path.slice(0, -1).reduce<unknown>((at, segment) => (at as Container)[segment], value);
  if (last !== undefined) delete (parent as Container)[last];
}

/** A copy of the object without what the kind does not know, and a sentence for each. */
export function withoutUnknownFields(value: unknown): {
  readonly value: unknown;
  readonly warnings: readonly string[];
} {
  const copy = structuredClone(value);
  const paths = unknownFields(copy);
  for (const path of paths) remove(copy, path);
  return { value: copy, warnings: paths.map((path) => `unknown field ${JSON.stringify(formatPath(path))}`) };
}
