import { type DomainName, parseName } from '../dns/name.ts';

/** What is wrong with a value, or with a part of it. */
export interface Problem {
  /** Where in the value: `[1].url`; empty for all of it. */
  readonly at: string;
  readonly value: unknown;
  readonly reason: string;
}

export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads a value of a settings file, or the text of a variable or flag. */
export type Reader<T> = (value: unknown) => Reading<T>;

/** Reads a value that is text whatever it stands for. */
export type TextReader<T> = (text: string) => Reading<T>;

export const read = <T>(value: T): Reading<T> => ({ ok: true, value });

export const refuseBecause = (value: unknown, reason: string): Reading<never> => ({
  ok: false,
  problems: [{ at: '', value, reason }],
});

export const refuse = (value: unknown, expected: string): Reading<never> =>
  refuseBecause(value, `expected ${expected}`);

/** The problems of a part, as problems of the whole. */
export const problemsAt = (at: string, reading: Reading<unknown>): Problem[] =>
  reading.ok ? [] : reading.problems.map((problem) => ({ ...problem, at: `${at}${problem.at}` }));

/** The elements' readings as the reading of their list; `at` says where an element is. */
export function allOf<T>(readings: readonly Reading<T>[], at: (index: number) => string): Reading<readonly T[]> {
  const problems = readings.flatMap((reading, index) => problemsAt(at(index), reading));
  if (problems.length > 0) return { ok: false, problems };
  return read(readings.flatMap((reading) => (reading.ok ? [reading.value] : [])));
}

const WHOLE_NUMBER = /^-?[0-9]{1,15}$/;

/** `what` such as `a whole number of seconds`. */
export function wholeNumber(what: string, min: number, max: number): Reader<number> {
  return (value) => {
    const number = typeof value === 'string' && WHOLE_NUMBER.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isInteger(number) || number < min) {
      return refuse(value, `${what}, at least ${min}`);
    }
    return number <= max ? read(number) : refuse(value, `${what}, at most ${max}`);
  };
}

const quoted = (values: readonly unknown[]): string => values.map((value) => JSON.stringify(value)).join(' or ');

/** One of a few values, in text also by their text. */
export function oneOf<const T extends readonly (string | boolean)[]>(...allowed: T): Reader<T[number]> {
  return (value) => {
    const found = allowed.find((candidate) => candidate === value || String(candidate) === value);
    return found === undefined ? refuse(value, quoted(allowed)) : read(found);
  };
}

export function text(pattern: RegExp, expected: string): Reader<string> {
  return (value) => (typeof value === 'string' && pattern.test(value) ? read(value) : refuse(value, expected));
}

export const domainName: Reader<DomainName> = (value) => {
  const name = typeof value === 'string' ? parseName(value) : undefined;
  return name === undefined ? refuse(value, 'a domain name, such as "internal"') : read(name);
};

/** A list; in text its elements separated by commas, or JSON. No text is no elements. */
export function list<T>(element: Reader<T>): Reader<readonly T[]> {
  return (value) => {
    const elements = typeof value === 'string' ? elementsOf(value) : value;
    if (!Array.isArray(elements)) return refuse(value, 'a list');
    return allOf(elements.map(element), (index) => `[${index}]`);
  };
}

/** The same, each element once. */
export function setOf<T>(element: Reader<T>): Reader<readonly T[]> {
  const readList = list(element);
  return (value) => {
    const reading = readList(value);
    return reading.ok ? read([...new Set(reading.value)]) : reading;
  };
}

function elementsOf(value: string): unknown {
  if (value.trim() === '') return [];
  return value.trimStart().startsWith('[') ? jsonOf(value) : value.split(',').map((element) => element.trim());
}

/** The entries of a mapping, or of a JSON object in text; undefined when it is neither. */
export function entriesOf(value: unknown): [string, unknown][] | undefined {
  const object = typeof value === 'string' ? jsonOf(value) : value;
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return undefined;
  return Object.entries(object);
}

function jsonOf(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

const SHOWN_CHARACTERS = 120;

/** A value as a message shows it, cut when it is long. */
export function shown(value: unknown): string {
  const whole = JSON.stringify(value) ?? String(value);
  return whole.length > SHOWN_CHARACTERS ? `${whole.slice(0, SHOWN_CHARACTERS)}…` : whole;
}
