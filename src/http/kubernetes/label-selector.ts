import { keyProblem, labelValueProblem } from '../../serviceentry/label-syntax.ts';
import type { SelectorReading } from './selector-reading.ts';

type Labels = Readonly<Record<string, string>>;
type Requirement = (labels: Labels) => boolean;

class SelectorError extends Error {}

const TOKENS = /==|!=|[=!,()]|[^\s=!,()]+/g;
const SIGNS: ReadonlySet<string> = new Set(['==', '!=', '=', '!', ',', '(', ')']);

/** Reads one selector, token by token; Kubernetes' grammar, without its `<` and `>`. */
class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = text.match(TOKENS) ?? [];
  }

  *requirements(): Generator<Requirement> {
    if (this.#tokens.length === 0) return;
    do yield this.#requirement();
    while (this.#take(','));
    if (this.#next !== undefined) throw new SelectorError(`found '${this.#next}', expected: ',' or the end`);
  }

  get #next(): string | undefined {
    return this.#tokens[this.#at];
  }

  #take(token: string): boolean {
    if (this.#next !== token) return false;
    this.#at++;
    return true;
  }

  #requirement(): Requirement {
    if (this.#take('!')) {
      const key = this.#key();
      return (labels) => !Object.hasOwn(labels, key);
    }
    const key = this.#key();
    const operator = this.#next;
    if (operator === undefined || operator === ',') return (labels) => Object.hasOwn(labels, key);
    this.#at++;
    const values = this.#valuesOf(operator);
    const isNegative = operator === '!=' || operator === 'notin';
    // Kubernetes lets a label that is absent pass a requirement of what it must not be.
    return (labels) => (Object.hasOwn(labels, key) ? values.has(labels[key] ?? '') !== isNegative : isNegative);
  }

  #valuesOf(operator: string): ReadonlySet<string> {
    switch (operator) {
      case '=':
      case '==':
      case '!=':
        return new Set([this.#value()]);
      case 'in':
      case 'notin':
        return this.#list();
      default:
        throw new SelectorError(`found '${operator}', expected: in, notin, =, ==, !=`);
    }
  }

  #list(): ReadonlySet<string> {
    if (!this.#take('(')) throw new SelectorError(`found '${this.#next ?? ''}', expected: '('`);
    const values = new Set<string>();
    do values.add(this.#value());
    while (this.#take(','));
    if (!this.#take(')')) throw new SelectorError(`found '${this.#next ?? ''}', expected: ',' or ')'`);
    return values;
  }

  #key(): string {
    const key = this.#word();
    const problem = key === '' ? `found '${this.#next ?? ''}', expected: a label key` : keyProblem(key);
    if (problem) throw new SelectorError(key === '' ? problem : `${JSON.stringify(key)}: ${problem}`);
    return key;
  }

  #value(): string {
    const value = this.#word();
    const problem = labelValueProblem(value);
    if (problem) throw new SelectorError(`${JSON.stringify(value)}: ${problem}`);
    return value;
  }

  /** Empty where a sign or the end stands instead. */
  #word(): string {
    const token = this.#next;
    if (token === undefined || SIGNS.has(token)) return '';
    this.#at++;
    return token;
  }
}

/** Kubernetes' `labelSelector`: `=`, `==`, `!=`, `in`, `notin`, a key that is there, and `!` for one that is not. */
export function readLabelSelector(text: string): SelectorReading<Labels> {
  try {
    const requirements = [...new Reader(text).requirements()];
    return { ok: true, matches: (labels) => requirements.every((holds) => holds(labels)) };
  } catch (error) {
    if (error instanceof SelectorError) return { ok: false, problem: `unable to parse requirement: ${error.message}` };
    throw error;
  }
}
