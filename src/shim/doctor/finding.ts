import type { HostFacts } from './host-facts.ts';

export interface Finding {
  /** Stable, for programs. */
  readonly id: string;
  /** A problem loses or misleads names now; a warning may. */
  readonly level: 'problem' | 'warning';
  readonly what: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** Looks at one side of a host. */
export type Check = (facts: HostFacts) => Iterable<Finding>;

export const problem = (id: string, what: string, remedy: string): Finding => ({ id, level: 'problem', what, remedy });
export const warning = (id: string, what: string, remedy: string): Finding => ({ id, level: 'warning', what, remedy });
