import type { HostClaim } from './claim.ts';
import { claimsOf } from './claims.ts';
import { canonicalHost, isAskable, isPartialWildcard, isWildcard } from './host-name.ts';
import type { Caution } from './rules/rule.ts';
import type { ServiceEntry } from './service-entry.ts';

/** Why no question can match the host at all. */
function unaskable({ host }: HostClaim): string | undefined {
  if (isAskable(host)) return undefined;
  if (isPartialWildcard(host)) return 'never matches a DNS name: only a wildcard that is a whole label ("*.") does';
  return 'never matches a DNS name: it is longer than 255 octets on the wire';
}

function withoutVip({ host, resolution }: HostClaim, { spec }: ServiceEntry): string {
  if (resolution === 'NONE') return 'has no plain address, and resolution NONE (the default) allocates none';
  if ((spec.addresses ?? []).length > 0) {
    return 'has neither a plain address nor an endpoint to answer with, and spec.addresses rules out a virtual IP';
  }
  if (isWildcard(host) && resolution !== 'DYNAMIC_DNS') {
    return 'has no address, and wildcard hosts get a virtual IP only with resolution DYNAMIC_DNS';
  }
  return 'has no address, and the entry has opted out of automatic allocation';
}

/** Why the host has no answer here, or not for everyone. */
function unanswered(claim: HostClaim, entry: ServiceEntry): string | undefined {
  if (claim.addresses.length > 0 || claim.endpoints.length > 0) return undefined;
  if (!claim.wantsVip) return `will not resolve here: ${withoutVip(claim, entry)}`;
  return claim.resolution === 'DYNAMIC_DNS' ? 'resolves only for clients whose view has "vips: proxy"' : undefined;
}

/** RFC 6762 3; `cluster.local` is the one zone below it that resolvers are told to ask for by unicast. */
function multicast({ host }: HostClaim): string | undefined {
  const isLocal = host === 'local' || host.endsWith('.local');
  const isCluster = host === 'cluster.local' || host.endsWith('.cluster.local');
  return isLocal && !isCluster ? 'ends in .local, which many resolvers ask by multicast DNS only' : undefined;
}

/** Names that no resolver asks a registry for (RFC 6761 sections 6.3 and 6.4, RFC 9462 section 6.4). */
const SPECIAL = /^(?:.+\.)?(?:localhost|invalid|resolver\.arpa)$/;

const special = ({ host }: HostClaim): string | undefined =>
  SPECIAL.test(host) ? 'is a special name, which is answered as its RFC says, whatever is registered' : undefined;

const singleLabel = ({ host }: HostClaim): string | undefined =>
  host.includes('.') ? undefined : 'is a single label, which many resolvers complete with a search domain or never ask';

/** What DNS, rather than the mesh, makes of the hosts of a valid entry. */
export const dnsCaution: Caution = function* (entry) {
  const claims = new Map(claimsOf(entry).map((claim) => [claim.host, claim]));
  for (const [index, host] of entry.spec.hosts.entries()) {
    const claim = claims.get(canonicalHost(host));
    if (!claim) continue;
    const remarks = [
      special(claim) ?? unaskable(claim) ?? unanswered(claim, entry),
      multicast(claim),
      singleLabel(claim),
    ];
    for (const remark of remarks) if (remark) yield `spec.hosts[${index}]: "${host}" ${remark}`;
  }
};
