import type { HostClaim } from '../serviceentry/claim.ts';

/** Who may know of a claimed host: everybody (`*`), or the namespaces it is exported to. */
export function scopesOf(claim: Pick<HostClaim, 'namespace' | 'exportTo'>): string[] {
  if (claim.exportTo.length === 0 || claim.exportTo.includes('*')) return ['*'];
  return claim.exportTo.filter((target) => target !== '~').map((target) => (target === '.' ? claim.namespace : target));
}

/** Whether some namespace sees both. */
export function meet(one: HostClaim, other: HostClaim): boolean {
  const [mine, theirs] = [new Set(scopesOf(one)), new Set(scopesOf(other))];
  if (mine.size === 0 || theirs.size === 0) return false;
  return mine.has('*') || theirs.has('*') || !mine.isDisjointFrom(theirs);
}
