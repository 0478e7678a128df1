/**
 * A domain name in canonical presentation form, so that equal names are equal strings: lower case (ASCII only,
 * RFC 4343), no trailing dot, the root as `.`. Inside a label a dot is `\.`, a backslash `\\`, and every octet that
 * is not a visible ASCII character `\DDD` (RFC 1035 section 5.1).
 */
export type DomainName = string & { readonly __domainName: unique symbol };

/** A name and the offset of the octet after it, which for a compressed name is the octet after its first pointer. */
export interface NameAt {
  readonly name: DomainName;
  readonly end: number;
}

export const ROOT = '.' as DomainName;

const MAX_LABEL_OCTETS = 63;
const MAX_NAME_OCTETS = 255;
/** Every octet of the longest name written as `\DDD`. */
const MAX_TEXT_LENGTH = 4 * MAX_NAME_OCTETS;
/** A name has at most 127 labels, and a pointer is only useful before a label. */
const MAX_POINTERS = 127;
const HEADER_OCTETS = 12;

const BACKSLASH = 0x5c;
const DOT = 0x2e;

const ESCAPE = /\\(?:([0-9]{3})|([^0-9]))/g;
const LABEL = /(?:[^.\\]|\\.)+/gs;
const PRESENTATION = (() => {
  const label = String.raw`(?:[^.\\]|\\(?:[01][0-9]{2}|2[0-4][0-9]|25[0-5]|[^0-9]))+`;
  return new RegExp(String.raw`^${label}(?:\.${label})*\.?$`);
})();

/**
 * Reads presentation form; a trailing dot is allowed and characters outside ASCII stand for their UTF-8 octets.
 * Undefined when a label is empty or over 63 octets, the name over 255 octets of wire, or an escape is malformed.
 */
export function parseName(text: string): DomainName | undefined {
  if (text === '.') return ROOT;
  if (text.length > MAX_TEXT_LENGTH + 1) return undefined;
  const octets = Buffer.from(text).toString('latin1');
  if (!PRESENTATION.test(octets)) return undefined;
  const labels = splitLabels(octets).map(unescapeLabel);
  if (labels.some((label) => label.length > MAX_LABEL_OCTETS)) return undefined;
  return readName(encodeLabels(labels), 0)?.name;
}

/** The labels from left to right, still escaped; none for the root. */
export function labelsOf(name: DomainName): readonly string[] {
  if (name === ROOT) return [];
  return name.includes('\\') ? splitLabels(name) : name.split('.');
}

/** The name without its first label; undefined for the root. */
export function parentOf(name: DomainName): DomainName | undefined {
  if (name === ROOT) return undefined;
  const first = name.includes('\\') ? (splitLabels(name)[0]?.length ?? 0) : name.indexOf('.');
  return first === -1 || first === name.length ? ROOT : (name.slice(first + 1) as DomainName);
}

export function isAtOrBelow(name: DomainName, ancestor: DomainName): boolean {
  if (ancestor === ROOT || name === ancestor) return true;
  const dot = name.length - ancestor.length - 1;
  return dot > 0 && name.charCodeAt(dot) === DOT && name.endsWith(ancestor) && !isEscaped(name, dot);
}

/** Uncompressed wire form. */
export function encodeName(name: DomainName): Buffer {
  return encodeLabels(labelsOf(name).map(unescapeLabel));
}

/** The octets of one label of a name, one character (U+0000 to U+00FF) each. */
export function unescapeLabel(label: string): string {
  if (!label.includes('\\')) return label;
  return label.replace(ESCAPE, (_, decimal: string | undefined, literal: string) =>
    decimal === undefined ? literal : String.fromCharCode(Number(decimal)),
  );
}

/**
 * Reads the name at `offset` of a message, following compression pointers (RFC 1035 section 4.1.4) strictly
 * backwards. Undefined when it is malformed: work is bounded for any input.
 */
export function readName(wire: Uint8Array, offset: number): NameAt | undefined {
  let at = offset;
  let segment = offset;
  let end: number | undefined;
  let pointers = 0;
  let octets = 1;
  let length = 0;
  for (let head = wire[at]; head !== 0; head = wire[at]) {
    if (head === undefined) return undefined;
    if (head > MAX_LABEL_OCTETS) {
      const target = pointerTarget(wire, at, segment);
      if (target === undefined || ++pointers > MAX_POINTERS) return undefined;
      end ??= at + 2;
      at = target;
      segment = target;
      continue;
    }
    const next = at + 1 + head;
    octets += 1 + head;
    if (octets > MAX_NAME_OCTETS || next > wire.length) return undefined;
    length = appendLabel(wire, at + 1, next, length);
    at = next;
  }
  const name = (length === 0 ? ROOT : SCRATCH.toString('latin1', 0, length)) as DomainName;
  return { name, end: end ?? at + 1 };
}

/**
 * The offset after the name at `offset`, without following its pointer; undefined when it is malformed as far as
 * that shows.
 */
export function endOfName(wire: Uint8Array, offset: number): number | undefined {
  let at = offset;
  for (let head = wire[at]; head !== 0; head = wire[at]) {
    if (head === undefined) return undefined;
    if (head > MAX_LABEL_OCTETS) return pointerTarget(wire, at, offset) === undefined ? undefined : at + 2;
    at += 1 + head;
    if (at - offset >= MAX_NAME_OCTETS) return undefined;
  }
  return at + 1;
}

/** Where the pointer at `at` leads, if it is one and leads to before the labels it ends, but not into the header. */
function pointerTarget(wire: Uint8Array, at: number, segment: number): number | undefined {
  const head = wire[at] ?? 0;
  const low = wire[at + 1];
  if (head < 0xc0 || low === undefined) return undefined;
  const target = ((head & 0x3f) << 8) | low;
  return target >= HEADER_OCTETS && target < segment ? target : undefined;
}

/** Text under construction. Shared, because reading a name is synchronous and on the path of every query. */
const SCRATCH = Buffer.allocUnsafeSlow(MAX_TEXT_LENGTH);

/** Lower case for octets that stand for themselves in text; 0 for those that need an escape. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, octet) => {
  if (octet <= 0x20 || octet >= 0x7f || octet === DOT || octet === BACKSLASH) return 0;
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
});

/** Appends one label, after a dot if it is not the first, to the scratch text of `length`; returns the new length. */
function appendLabel(wire: Uint8Array, start: number, end: number, length: number): number {
  let to = length;
  if (to > 0) SCRATCH[to++] = DOT;
  for (let at = start; at < end; at++) {
    const octet = wire[at] ?? 0;
    const plain = PLAIN[octet] ?? 0;
    if (plain === 0) to = appendEscape(octet, to);
    else SCRATCH[to++] = plain;
  }
  return to;
}

function appendEscape(octet: number, length: number): number {
  const escaped = octet === DOT || octet === BACKSLASH ? String.fromCharCode(octet) : String(octet).padStart(3, '0');
  return length + SCRATCH.write(`\\${escaped}`, length, 'latin1');
}

const splitLabels = (text: string): string[] => text.match(LABEL) ?? [];

function encodeLabels(labels: readonly string[]): Buffer {
  const text = labels.map((label) => String.fromCharCode(label.length) + label).join('');
  return Buffer.from(`${text}\0`, 'latin1');
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}
