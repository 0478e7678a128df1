import type { Finding, FindingCode, Severity } from './fsck.ts';
import type { ItemKey } from './keys.ts';

/**
 * What became of a finding. `person`: only a person can mend it. `possible`: `--repair` would. `started`: mended by a
 * run an hour later. `changedMeanwhile`: somebody wrote one of the items, and the next run shows what is left of it.
 */
export type Repair = 'person' | 'possible' | 'done' | 'started' | 'changedMeanwhile' | 'refused';

/** A finding as it is told. */
export interface ReportedFinding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** `pk/sk` of the items that disagree. */
  readonly items: readonly string[];
  readonly message: string;
  readonly repair: Repair;
  /** Why it was refused. */
  readonly reason?: string;
}

/** One stretch of a run. */
export interface FsckPart {
  readonly findings: readonly ReportedFinding[];
  /** Items that were looked at. */
  readonly items: number;
  /** Absent at the end of the run. */
  readonly continue?: string;
}

export interface FsckRequest {
  readonly repair: boolean;
  /** Of the part before. */
  readonly continue?: string;
}

/** Proves that the items of the registry agree, stretch by stretch; each ends well before `signal` would abort. */
export interface RegistryFsck {
  /**
   * @throws FsckTokenError for a token that is not of a part before.
   * @throws RegistryUnavailableError when the store cannot be reached.
   */
  run(request: FsckRequest, signal: AbortSignal): Promise<FsckPart>;
}

export class FsckTokenError extends Error {
  override readonly name = 'FsckTokenError';
}

const textOf = ({ pk, sk }: ItemKey): string => `${pk}/${sk}`;

export const reported = (
  { code, severity, items, message }: Finding,
  repair: Repair,
  reason?: string,
): ReportedFinding => ({
  code,
  severity,
  items: items.map(textOf),
  message,
  repair,
  ...(reason === undefined ? {} : { reason }),
});

/** Of an error that is left, as opposed to mended: it makes the command fail. */
export const isLeft = ({ severity, repair }: ReportedFinding): boolean => severity === 'error' && repair !== 'done';
