import type { Draft } from './draft.ts';
import { salvage } from './draft.ts';
import type { FieldError } from './field-error.ts';
import { dnsCaution } from './lint.ts';
import { addressCautions, addressRules } from './rules/addresses.ts';
import { endpointCautions, endpointRules } from './rules/endpoints.ts';
import { exportToRules } from './rules/export-to.ts';
import { hostCautions, hostRules } from './rules/hosts.ts';
import { metadataRules } from './rules/metadata.ts';
import { portCautions, portRules } from './rules/ports.ts';
import { resolutionCautions, resolutionRules } from './rules/resolution.ts';
import type { Caution, Rule } from './rules/rule.ts';
import { selectorCautions, selectorRules } from './rules/selector.ts';
import { checkShape } from './schema.ts';
import type { ServiceEntry } from './service-entry.ts';

export type { FieldError } from './field-error.ts';

const RULES: readonly Rule[] = [
  ...metadataRules,
  ...hostRules,
  ...addressRules,
  ...portRules,
  ...endpointRules,
  ...resolutionRules,
  ...selectorRules,
  ...exportToRules,
];

const CAUTIONS: readonly Caution[] = [
  ...hostCautions,
  ...addressCautions,
  ...portCautions,
  ...endpointCautions,
  ...resolutionCautions,
  ...selectorCautions,
  dnsCaution,
];

/** A manifest can be wrong in as many places as it has octets. */
const MAX_ERRORS = 200;

export interface ValidateOptions {
  /** Of entries that name none; `default` when absent. */
  readonly defaultNamespace?: string;
}

export type Validated =
  | { readonly ok: true; readonly entry: ServiceEntry; readonly warnings: string[] }
  | { readonly ok: false; readonly errors: FieldError[] };

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Checks an object against Istio's rules for a ServiceEntry, and names all that is wrong with it at once.
 * `status` and `managedFields` are dropped: nobody states from outside what was allocated.
 * What takes other entries to judge (one host and port with two protocols) is the registry's to reject.
 */
export function validateServiceEntry(input: unknown, options: ValidateOptions = {}): Validated {
  const incoming = withoutStatus(input, options.defaultNamespace ?? 'default');
  const shape = checkShape(incoming);
  if (shape.ok) return judge(shape.entry);
  const { metadata, spec } = isObject(incoming) ? incoming : {};
  const { draft, broken } = salvage(metadata, spec, shape.wrong, options.defaultNamespace ?? 'default');
  const told = new Set(shape.errors.map(({ path }) => path));
  const judged = RULES.filter(({ reads }) => !reads.some((field) => broken.has(field)));
  const more = errorsOf(judged, draft).filter(({ path }) => !told.has(path));
  return { ok: false, errors: bounded([...shape.errors, ...more]) };
}

function judge(entry: ServiceEntry): Validated {
  const errors = errorsOf(RULES, entry);
  if (errors.length > 0) return { ok: false, errors: bounded(errors) };
  return { ok: true, entry, warnings: CAUTIONS.flatMap((caution) => [...caution(entry)]) };
}

const errorsOf = (rules: readonly Rule[], draft: Draft): FieldError[] =>
  rules.flatMap(({ check }) => [...check(draft)]);

function bounded(errors: FieldError[]): FieldError[] {
  const left = errors.length - MAX_ERRORS;
  if (left <= 0) return errors;
  const rest: FieldError = { path: '', reason: 'FieldValueTooMany', message: `and ${left} more errors` };
  return [...errors.slice(0, MAX_ERRORS), rest];
}

/** Kubernetes reads a null field of ObjectMeta (`creationTimestamp: null` above all) as an absent one. */
function withoutStatus(input: unknown, defaultNamespace: string): unknown {
  if (!isObject(input)) return input;
  const { status: _, ...rest } = input;
  if (!isObject(input.metadata)) return rest;
  const given = Object.entries(input.metadata).filter(([, value]) => value !== null && value !== undefined);
  const metadata: Fields = { namespace: defaultNamespace, ...Object.fromEntries(given) };
  return { ...rest, metadata: metadata.namespace === '' ? { ...metadata, namespace: defaultNamespace } : metadata };
}
