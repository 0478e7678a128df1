import type { Draft, DraftField } from '../draft.ts';
import type { FieldError } from '../field-error.ts';
import type { ServiceEntry } from '../service-entry.ts';

/** A reason to reject an entry. */
export interface Rule {
  /** Fields that must be of the right shape for the rule to judge. */
  readonly reads: readonly DraftField[];
  readonly check: (draft: Draft) => Iterable<FieldError>;
}

/** A reason to doubt a valid entry: sentences that begin with the path they are about. */
export type Caution = (entry: ServiceEntry) => Iterable<string>;

export const fieldRule = (field: DraftField, check: Rule['check']): Rule => ({ reads: [field], check });
