import { parseName } from '../dns/name.ts';
import type { Family, View } from './view.ts';

/** What a credential says of its view; the settings say the rest. */
export type PartialView = Partial<View>;

export type ViewRead =
  | { readonly ok: true; readonly view: PartialView }
  /** `what` names the field, and what it takes. */
  | { readonly ok: false; readonly reason: string };

const MOST_SEARCH_DOMAINS = 32;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** A DNS-1123 label, as Kubernetes names namespaces. */
export const isNamespace = (text: string): boolean => NAMESPACE.test(text);

const canonicalName = (value: unknown): string | undefined =>
  typeof value === 'string' ? parseName(value) : undefined;

/** A list of distinct elements, or undefined when one of them is none. */
function listOf<T>(value: unknown, most: number, element: (one: unknown) => T | undefined): readonly T[] | undefined {
  if (!Array.isArray(value) || value.length > most) return undefined;
  const read = value.map(element);
  return read.includes(undefined) ? undefined : [...new Set(read as T[])];
}

const familyOf = (value: unknown): Family | undefined => (value === 'ipv4' || value === 'ipv6' ? value : undefined);
const flagOf = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined);

const READERS: { readonly [K in keyof View]: (value: unknown) => View[K] | undefined } = {
  namespace: (value) => (typeof value === 'string' && isNamespace(value) ? value : undefined),
  searchDomains: (value) => listOf(value, MOST_SEARCH_DOMAINS, canonicalName),
  clusterDomain: canonicalName,
  families: (value) => listOf(value, 2, familyOf),
  vips: (value) => (value === 'proxy' ? value : flagOf(value)),
  forwardUnknown: flagOf,
};

const TAKES: { readonly [K in keyof View]: string } = {
  namespace: 'a namespace: lower-case letters, digits and "-"',
  searchDomains: `a list of at most ${MOST_SEARCH_DOMAINS} domain names`,
  clusterDomain: 'a domain name',
  families: 'a list of "ipv4" and "ipv6"',
  vips: 'true, false or "proxy"',
  forwardUnknown: 'true or false',
};

const isField = (name: string): name is keyof View => Object.hasOwn(READERS, name);

/** Some of the fields of a view, from elsewhere. */
export function readPartialView(value: unknown): ViewRead {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, reason: 'view: it is not an object' };
  }
  const read: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(value)) {
    if (!isField(name)) return { ok: false, reason: `view: unknown field ${JSON.stringify(name.slice(0, 64))}` };
    const field = READERS[name](given);
    if (field === undefined) return { ok: false, reason: `view.${name}: it takes ${TAKES[name]}` };
    read[name] = field;
  }
  return { ok: true, view: read };
}

/** All of the fields of a view, leaving aside others; undefined where one is missing or wrong. */
export function readView(value: Readonly<Record<string, unknown>>): View | undefined {
  const fields = Object.entries(READERS).map(([name, read]) => [name, read(value[name])]);
  return fields.some(([, field]) => field === undefined) ? undefined : Object.fromEntries(fields);
}
