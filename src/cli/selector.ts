import { Option } from 'commander';
import { readLabelSelector } from '../http/kubernetes/label-selector.ts';
import { CommandFailure } from './failure.ts';

/** Which entries are meant, by their labels. */
export interface Selector {
  readonly text: string;
  readonly matches: (labels: Readonly<Record<string, string>>) => boolean;
}

export const selectorOption = (): Option =>
  new Option('-l, --selector <selector>', 'those with these labels, as in app=web,tier!=test or "env in (a,b)"');

/** @throws CommandFailure for what is no selector, and for an empty one, which would mean all. */
export function readSelector(text: string): Selector {
  const reading = readLabelSelector(text);
  if (!reading.ok) throw new CommandFailure(`--selector is ${JSON.stringify(text)}: ${reading.problem}`);
  if (text.trim() === '') throw new CommandFailure('--selector is empty: it takes labels, as in app=web');
  return { text, matches: reading.matches };
}
