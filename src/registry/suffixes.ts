import { createHash } from 'node:crypto';
import { type DomainName, labelsOf, parseName } from '../dns/name.ts';

export { namesAbove } from '../table/names-above.ts';

/**
 * Which names can be registered at all, so that a public name costs no read: 32-bit hashes of each host's last two
 * labels (one, if it has one, or if that one is no public domain), and of a wildcard host's whole parent. A collision
 * costs a read, never an answer.
 */
export type SuffixSet = ReadonlySet<number>;

/** What a suffix is, by number: a table says which it has. Whoever changes what `suffixMembers` gives, counts on. */
export const SUFFIX_LAYOUT = 2;

/** Of a set that another layout made nothing follows: any name may be registered. */
export const EVERY_SUFFIX = { has: () => true };

const hashOf = (name: string): number => createHash('sha256').update(name).digest().readUInt32BE();

/**
 * Top-level domains that are set aside for private use, by ICANN (2024-07-29) and RFC 6762 section 3 and appendix G:
 * hosts stand right below them by the thousand, and no public name ends in one. This list is part of `SUFFIX_LAYOUT`.
 */
const PRIVATE: ReadonlySet<string> = new Set(['internal', 'local', 'intranet', 'private', 'corp', 'home', 'lan']);

function suffixOf(name: DomainName): string {
  const labels = labelsOf(name);
  return labels.slice(PRIVATE.has(labels.at(-1) ?? '') ? -1 : -2).join('.');
}

const wildcardParent = (host: string): string | undefined => (host.startsWith('*.') ? host.slice(2) : undefined);

/** The members that a host needs before it may be registered. */
export function suffixMembers(host: string): number[] {
  const parent = wildcardParent(host);
  const name = parseName(parent ?? host);
  if (!name) return [];
  const members = new Set([hashOf(suffixOf(name))]);
  if (parent !== undefined) members.add(hashOf(parent));
  return [...members];
}

/** False: the host is certainly not registered. For a wildcard host, its whole parent must be a member. */
export function mayBeRegistered(set: Pick<SuffixSet, 'has'>, host: string): boolean {
  const parent = wildcardParent(host);
  if (parent !== undefined) return set.has(hashOf(parent));
  const name = parseName(host);
  return name !== undefined && set.has(hashOf(suffixOf(name)));
}
