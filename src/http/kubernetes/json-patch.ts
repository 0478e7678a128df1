import { applyPatch, type Operation, Pointer } from 'rfc6902';

export type JsonPatched =
  | { readonly kind: 'patched'; readonly value: unknown }
  /** The patch is none. */
  | { readonly kind: 'malformed'; readonly problem: string }
  /** It does not fit this object, or one of its tests fails. */
  | { readonly kind: 'refused'; readonly problem: string };

const MAX_OPERATIONS = 1_000;
/** Copies of copies grow without a bound; no entry is as large as this. */
const MAX_COPIED_OCTETS = 1024 * 1024;

/** Members of an operation that hold pointers to something that must be there. */
const EXISTING: Readonly<Record<string, readonly ('path' | 'from')[]>> = {
  add: [],
  remove: ['path'],
  replace: ['path'],
  move: ['from'],
  copy: ['from'],
  test: ['path'],
};

const INDEX = /^(0|[1-9]\d*)$/;

type Container = Readonly<Record<string, unknown>>;

const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null;

/** Whether the token names something of the value's own: nothing that it inherits can be reached. */
const has = (value: Container, token: string): boolean =>
  Object.hasOwn(value, token) && (!Array.isArray(value) || INDEX.test(token));

const takes = (value: Container, token: string): boolean =>
  Array.isArray(value) ? token === '-' || INDEX.test(token) : token !== '__proto__';

function leadsSomewhere(document: unknown, path: string, mustExist: boolean): boolean {
  const tokens = Pointer.fromJSON(path).tokens.slice(1);
  const last = tokens.pop();
  let value = document;
  for (const token of tokens) {
    if (!isContainer(value) || !has(value, token)) return false;
    value = value[token];
  }
  return last !== undefined && isContainer(value) && (mustExist ? has(value, last) : takes(value, last));
}

/** Members that an operation does not define are ignored (RFC 6902 section 4). */
const pointersOf = ({ op }: Pick<Operation, 'op'>) =>
  op === 'move' || op === 'copy' ? (['path', 'from'] as const) : (['path'] as const);

const isPointer = (value: unknown): value is string =>
  typeof value === 'string' && (value === '' || value.startsWith('/'));

function isOperation(value: unknown): value is Operation {
  if (!isContainer(value) || typeof value.op !== 'string' || !Object.hasOwn(EXISTING, value.op)) return false;
  const hasValue = !['add', 'replace', 'test'].includes(value.op) || Object.hasOwn(value, 'value');
  return hasValue && pointersOf(value as Pick<Operation, 'op'>).every((member) => isPointer(value[member]));
}

function problemOf(document: object, operation: Operation): string | undefined {
  const existing = EXISTING[operation.op] ?? [];
  for (const member of pointersOf(operation)) {
    const path = (operation as Record<'path' | 'from', string>)[member];
    if (!leadsSomewhere(document, path, existing.includes(member))) {
      return `${operation.op}: there is no ${JSON.stringify(path)}`;
    }
  }
  const [error] = applyPatch(document, [operation]);
  return error ? `${operation.op} ${JSON.stringify(operation.path)}: ${error.message}` : undefined;
}

/** Applies RFC 6902 to `document`, which is changed in place: give it a copy. */
export function jsonPatch(document: object, patch: unknown): JsonPatched {
  if (!Array.isArray(patch)) return { kind: 'malformed', problem: 'a JSON patch is a list of operations' };
  if (patch.length > MAX_OPERATIONS) {
    return { kind: 'malformed', problem: `a patch has at most ${MAX_OPERATIONS} operations, not ${patch.length}` };
  }
  let copied = 0;
  for (const [index, operation] of patch.entries()) {
    if (!isOperation(operation)) return { kind: 'malformed', problem: `operation ${index + 1} is none of RFC 6902` };
    if (operation.op === 'copy') {
      copied += (JSON.stringify(Pointer.fromJSON(operation.from).get(document)) ?? '').length;
      if (copied > MAX_COPIED_OCTETS) return { kind: 'refused', problem: 'it copies more than any entry can hold' };
    }
    const problem = problemOf(document, operation);
    if (problem !== undefined) return { kind: 'refused', problem };
  }
  return { kind: 'patched', value: document };
}
