import type { Document, DocumentOptions, ParseOptions, SchemaOptions } from 'yaml';
import { isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, visit } from 'yaml';

/** One object of a manifest, not validated yet. */
export interface ManifestDocument {
  readonly value: unknown;
  /** Where it was read from: a file name, a URL, or `-`. */
  readonly source: string;
  /** Counts the objects of the source from 1, each item of a list by itself. */
  readonly index: number;
  /** Line of the source where the object begins, from 1. */
  readonly line: number;
}

/** A document that could not be read. */
export interface ManifestError {
  readonly source: string;
  readonly line: number;
  readonly column: number;
  /** Ready to print: `source:line:column: sentence`. */
  readonly message: string;
}

export interface Manifest {
  readonly documents: ManifestDocument[];
  readonly errors: ManifestError[];
}

/** Far deeper than any object here, far shallower than the call stack. */
const MAX_DEPTH = 64;

/** More expansions of aliases than a hand-written manifest has, fewer than a bomb needs. */
const MAX_ALIASES = 100;

const OPTIONS = {
  version: '1.2',
  merge: true,
  stringKeys: true,
  // Checked below: the parser would compare every key with every other.
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'error',
} as const satisfies ParseOptions & DocumentOptions & SchemaOptions;

const TOO_DEEP = `Nested more than ${MAX_DEPTH} levels deep`;

/**
 * Reads the objects of multi-document YAML or JSON, as kubectl does: lists are taken apart, empty documents
 * skipped. A document that cannot be read costs none of the others. The caller bounds the size of `text`.
 */
export function parseManifest(text: string, source: string): Manifest {
  const documents: ManifestDocument[] = [];
  const errors: ManifestError[] = [];
  for (const read of [...chunksOf(text)].flatMap((chunk) => [...readChunk(chunk)])) {
    const { line } = read;
    if (read.ok) {
      documents.push({ value: read.value, source, index: documents.length + 1, line });
    } else {
      const { column, sentence } = read;
      errors.push({ source, line, column, message: `${source}:${line}:${column}: ${sentence}` });
    }
  }
  return { documents, errors };
}

interface Chunk {
  readonly text: string;
  /** Line of the source where it begins, from 1. */
  readonly line: number;
}

/**
 * Cuts the text before each line that begins with `---`, which in YAML is the start of a document wherever it
 * stands (YAML 1.2.2, 9.1.2): the parser sees one document at a time, and cannot stumble over another.
 */
function* chunksOf(text: string): Generator<Chunk> {
  const starts = [...text.matchAll(/(?<=^|\n)---(?=[ \t\r\n]|$)/g)].map(({ index }) => index);
  let line = 1;
  for (const [at, start] of [0, ...starts].entries()) {
    const chunk = text.slice(start, starts[at]);
    yield { text: chunk, line };
    line += chunk.split('\n').length - 1;
  }
}

type Read =
  | { readonly ok: true; readonly line: number; readonly value: unknown }
  | { readonly ok: false; readonly line: number; readonly column: number; readonly sentence: string };

function* readChunk(chunk: Chunk): Generator<Read> {
  const lineCounter = new LineCounter();
  // What is missing at the end is missed on the last line with something on it, not on the next document's first.
  const end = chunk.text.trimEnd().length;
  const positionOf = (offset: number) => {
    const { line, col } = lineCounter.linePos(Math.min(offset, end));
    return { line: chunk.line + Math.max(line, 1) - 1, column: Math.max(col, 1) };
  };
  const parsed = parseAllDocuments(chunk.text, { ...OPTIONS, lineCounter });
  for (const document of parsed as Document.Parsed[]) {
    const start = isNode(document.contents) ? document.contents.range[0] : 0;
    const result = readValue(document);
    if ('sentence' in result) {
      yield { ok: false, ...positionOf(result.offset ?? start), sentence: result.sentence };
      continue;
    }
    if (result.value === null) continue;
    for (const { value, offset = start } of objectsOf(result.value, document.contents)) {
      yield { ok: true, value, line: positionOf(offset).line };
    }
  }
}

type Value = { readonly value: unknown } | { readonly sentence: string; readonly offset?: number };

function readValue(document: Document.Parsed): Value {
  const problems = [...document.errors, ...document.warnings];
  if (problems.some(({ code }) => code === 'RESOURCE_EXHAUSTION')) return { sentence: TOO_DEEP };
  const [problem] = problems;
  if (problem) return { sentence: problem.message, offset: problem.pos[0] };
  try {
    const repeated = repeatedKeyAt(document);
    if (repeated !== undefined) return { sentence: 'Map keys must be unique', offset: repeated };
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    return isTooDeep(value, new Set()) ? { sentence: TOO_DEEP } : { value };
  } catch (error) {
    // What only shows when values are made: an alias that leads nowhere or is a bomb, a merge key of no map.
    if (error instanceof RangeError) return { sentence: TOO_DEEP };
    return { sentence: error instanceof Error ? error.message : String(error) };
  }
}

/** Offset of the first key that its map has already. */
function repeatedKeyAt(document: Document.Parsed): number | undefined {
  let repeated: number | undefined;
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          repeated = key.range?.[0] ?? 0;
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return repeated;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** An alias within its own anchor makes a value that contains itself: that is infinitely deep. */
function isTooDeep(value: unknown, above: Set<unknown>): boolean {
  if (!isObject(value)) return false;
  if (above.size >= MAX_DEPTH || above.has(value)) return true;
  above.add(value);
  const tooDeep = Object.values(value).some((child) => isTooDeep(child, above));
  above.delete(value);
  return tooDeep;
}

const LIST_KINDS: readonly unknown[] = ['List', 'ServiceEntryList'];

interface Located {
  readonly value: unknown;
  readonly offset?: number;
}

/** The object itself, or the items of a list, of lists of lists too. */
function* objectsOf(value: unknown, node: unknown): Generator<Located> {
  const items = isObject(value) && LIST_KINDS.includes(value.kind) ? (value.items ?? []) : undefined;
  if (!Array.isArray(items)) {
    yield isNode(node) && node.range ? { value, offset: node.range[0] } : { value };
    return;
  }
  const itemNodes = isMap(node) ? node.get('items', true) : undefined;
  for (const [index, item] of items.entries()) {
    yield* objectsOf(typed(item, value), isSeq(itemNodes) ? itemNodes.items[index] : undefined);
  }
}

/** The items of a `ServiceEntryList` may leave their kind to the list. */
function typed(item: unknown, list: unknown): unknown {
  if (!isObject(list) || list.kind !== 'ServiceEntryList' || !isObject(item) || 'kind' in item) return item;
  return { apiVersion: list.apiVersion, kind: 'ServiceEntry', ...item };
}
