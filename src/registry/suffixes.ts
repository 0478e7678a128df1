import { createHash } from 'node:crypto';
import { type DomainName, labelsOf, parentOf, parseName } from '../dns/name.ts';

/**
 * Which names can be registered at all, so that a public name costs no read: 32-bit hashes of each host's last two
 * labels (one, if it has one), and of a wildcard host's whole parent. A collision costs a read, never an answer.
 */
export type SuffixSet = ReadonlySet<number>;

const hashOf = (name: string): number => createHash('sha256').update(name).digest().readUInt32BE();

const lastTwoLabels = (name: DomainName): string => labelsOf(name).slice(-2).join('.');

const wildcardParent = (host: string): string | undefined => (host.startsWith('*.') ? host.slice(2) : undefined);

/** The members that a host needs before it may be registered. */
export function suffixMembers(host: string): number[] {
  const parent = wildcardParent(host);
  const name = parseName(parent ?? host);
  if (!name) return [];
  const members = new Set([hashOf(lastTwoLabels(name))]);
  if (parent !== undefined) members.add(hashOf(parent));
  return [...members];
}

/** False: the host is certainly not registered. For a wildcard host, its whole parent must be a member. */
export function mayBeRegistered(set: SuffixSet, host: string): boolean {
  const parent = wildcardParent(host);
  if (parent !== undefined) return set.has(hashOf(parent));
  const name = parseName(host);
  return name !== undefined && set.has(hashOf(lastTwoLabels(name)));
}

/** Names above a host, of at least two labels: they exist as soon as the host does (RFC 8020, RFC 4592 section 2.2.2). */
export function namesAbove(host: string): DomainName[] {
  const names: DomainName[] = [];
  const start = parseName(wildcardParent(host) ?? host);
  let name = wildcardParent(host) === undefined && start ? parentOf(start) : start;
  while (name && labelsOf(name).length >= 2) {
    names.push(name);
    name = parentOf(name);
  }
  return names;
}
