import { GROUP } from '../http/status.ts';
import { CommandFailure } from './failure.ts';
import { DEFAULT_NAMESPACE, nameProblem } from './target.ts';

const KINDS: ReadonlySet<string> = new Set(
  ['serviceentry', 'serviceentries'].flatMap((kind) => [kind, `${kind}.${GROUP}`]).concat('se'),
);

const isKind = (text: string): boolean => KINDS.has(text.toLowerCase());

/**
 * Names of entries as kubectl takes them: `se a b`, `se/a se/b`, or, as there is one kind only, `a b`.
 * @throws CommandFailure for another kind, or what cannot be a name.
 */
export function readNames(words: readonly string[]): string[] {
  const [first = '', ...rest] = words;
  const names = (isKind(first) ? rest : words).map(withoutKind);
  for (const name of names) {
    const wrong = name === '' ? 'a name is empty' : nameProblem('name', name);
    if (wrong !== undefined) throw new CommandFailure(wrong);
  }
  return [...new Set(names)];
}

function withoutKind(word: string): string {
  const at = word.indexOf('/');
  if (at === -1) return word;
  const kind = word.slice(0, at);
  if (isKind(kind)) return word.slice(at + 1);
  throw new CommandFailure(`the server doesn't have a resource type ${JSON.stringify(kind)}: it holds serviceentries`);
}

/** The namespace that `-n` names. @throws CommandFailure for what cannot be one. */
export function readNamespace(named: string | undefined): string {
  const namespace = named || DEFAULT_NAMESPACE;
  const wrong = nameProblem('namespace', namespace);
  if (wrong !== undefined) throw new CommandFailure(wrong);
  return namespace;
}
