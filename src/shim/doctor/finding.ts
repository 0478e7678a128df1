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

export type Check = (facts: HostFacts) => readonly Finding[];

export const problem = (id: string, what: string, remedy: string): Finding => ({ id, level: 'problem', what, remedy });
export const warning = (id: string, what: string, remedy: string): Finding => ({ id, level: 'warning', what, remedy });

export const when = (holds: boolean, finding: () => Finding): readonly Finding[] => (holds ? [finding()] : []);
