import { createHash } from 'node:crypto';
import { type DomainName, labelsOf, parseName } from '../dns/name.ts';
import type { HostClaim } from '../serviceentry/claim.ts';
import { scopesOf } from './scopes.ts';

export { namesAbove } from '../table/names-above.ts';

/**
 * Which names a namespace may know at all, so that all others cost no read: for everybody a host is exported to, 32-bit
 * hashes of the host's last two labels (one, if it has one, or if that one is no public domain), and of a wildcard
 * host's whole parent. A collision costs a read, never an answer. Without the namespaces, the time that a query takes
 * would tell that somebody has registered a host below a suffix.
 */
export type SuffixSet = ReadonlySet<number>;

/** What a suffix is, by number: a table says which it has. Whoever changes what `suffixMembers` gives, counts on. */
export const SUFFIX_LAYOUT = 3;

/** Of a set that another layout made nothing follows: any name may be registered. */
export const EVERY_SUFFIX = { has: () => true };

/** No name has a slash in it. */
const hashOf = (scope: string, name: string): number =>
  createHash('sha256').update(`${scope}/${name}`).digest().readUInt32BE();

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

/** The members that a claim needs before it may be written. */
export function suffixMembers(claim: Pick<HostClaim, 'host' | 'namespace' | 'exportTo'>): number[] {
  const parent = wildcardParent(claim.host);
  const name = parseName(parent ?? claim.host);
  if (!name) return [];
  const suffixes = new Set([suffixOf(name), ...(parent === undefined ? [] : [parent])]);
  return scopesOf(claim).flatMap((scope) => [...suffixes].map((suffix) => hashOf(scope, suffix)));
}

/** False: certainly no host of this name is exported to the namespace. For a wildcard host, its whole parent must be a member. */
export function mayBeRegistered(set: Pick<SuffixSet, 'has'>, host: string, namespace: string): boolean {
  const parent = wildcardParent(host);
  const name = parent === undefined ? parseName(host) : undefined;
  const suffix = name === undefined ? parent : suffixOf(name);
  return suffix !== undefined && ['*', namespace].some((scope) => set.has(hashOf(scope, suffix)));
}
