import type { EntryState, StoredEntry } from '../../src/registry/state.ts';
import type { WriteOutcome } from '../../src/registry/writer.ts';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import type { Operation } from './workload.ts';

/** A change of an entry, as the table saw it. */
export interface Version<Writer> {
  readonly by: Writer;
  /** As it stood then; undefined when it was deleted. */
  readonly stored: EntryState['stored'];
}

/** The workload labels what it writes. */
const labelOf = (entry: ServiceEntry | undefined): string | undefined => entry?.metadata.labels?.write;

function faultOfCommit({ precondition }: Operation, kind: string, before: StoredEntry | undefined): string | undefined {
  const version = before?.resourceVersion;
  if ((kind === 'created') !== (before === undefined)) return `says ${kind} over ${version}`;
  if (precondition.kind === 'absent' && before) return 'was to create, but replaced';
  const demanded = precondition.kind === 'present' ? precondition.resourceVersion : undefined;
  return demanded && demanded !== version ? `replaced ${version}, not ${demanded}` : undefined;
}

/**
 * Invariant 7: what is acknowledged happened, once, on what it was to be based on; what is rejected did not. `versions`
 * are those of the entry; `since` is how many there were when the operation began.
 */
export function faultOfOutcome<Writer>(
  writer: Writer,
  operation: Operation,
  outcome: WriteOutcome,
  versions: readonly Version<Writer>[],
  since: number,
): string | undefined {
  const label = operation.kind === 'apply' ? labelOf(operation.entry) : undefined;
  const mine = versions.flatMap(({ by, stored }, index) =>
    index >= since && by === writer && labelOf(stored?.entry) === label ? [index] : [],
  );
  const [first] = mine;
  if (mine.length > 1) return 'was committed twice';
  const during = versions.slice(Math.max(0, since - 1));
  switch (outcome.kind) {
    case 'rejected':
      return first === undefined ? undefined : `was rejected (${outcome.message}), but committed`;
    case 'unchanged':
      return during.some(({ stored }) => labelOf(stored?.entry) === label) ? undefined : 'was not in force';
    case 'deleted':
      return during.every(({ stored }) => stored) && versions.length > 0 ? 'has not gone' : undefined;
    default:
      if (first === undefined) return 'was acknowledged, but is not there';
      return faultOfCommit(operation, outcome.kind, versions[first - 1]?.stored);
  }
}
