import { type DomainName, isAtOrBelow, labelsOf, parentOf, parseName, ROOT } from '../dns/name.ts';

/** One way in which a name could belong to a registered host. */
export interface Candidate {
  /** The name that is looked for: the qname, or what is left of it. */
  readonly name: DomainName;
  /** Hosts that would match it, the best first: itself, then wildcard hosts from the longest suffix up. */
  readonly hosts: readonly string[];
  /** Labels such as `_http._tcp` that stood before `name` (RFC 2782). */
  readonly service: readonly string[];
  /** `name` is the qname without one of the view's search domains: the answer is a CNAME to it. */
  readonly searched: boolean;
}

/** Wildcard hosts that match the name, the longest suffix first. */
function wildcardsOver(name: DomainName): string[] {
  const hosts: string[] = [];
  for (let above = parentOf(name); above !== undefined && labelsOf(above).length > 0; above = parentOf(above)) {
    hosts.push(`*.${above}`);
  }
  return hosts;
}

const serviceLabels = (name: DomainName): string[] => {
  const labels = labelsOf(name);
  const end = labels.findIndex((label) => !label.startsWith('_'));
  return labels.slice(0, end === -1 ? labels.length : end);
};

/**
 * As asked, or, after labels such as `_http._tcp`, as a service of what follows them. Where nobody has registered that,
 * underscores are ordinary: `_dmarc.wild.example` is a name below `*.wild.example` (RFC 4592 section 2.1.3).
 */
function readings(qname: DomainName, searched: boolean): Candidate[] {
  if (qname === ROOT) return [];
  const service = serviceLabels(qname);
  const whole = { name: qname, hosts: wildcardsOver(qname), service: [], searched };
  if (service.length === 0) return [{ ...whole, hosts: [qname, ...whole.hosts] }];
  const name = parseName(labelsOf(qname).slice(service.length).join('.'));
  if (!name || labelsOf(name).length === 0) return [whole];
  return [{ name, hosts: [name, ...wildcardsOver(name)], service, searched }, whole];
}

/** `qname` without `domain`, or undefined when it is not below it. */
function without(qname: DomainName, domain: DomainName): DomainName | undefined {
  if (!isAtOrBelow(qname, domain) || qname === domain || domain === ROOT) return undefined;
  return qname.slice(0, -domain.length - 1) as DomainName;
}

/** How a question could be ours, in order of preference: as asked, then without each search domain. */
export function candidatesOf(qname: DomainName, searchDomains: readonly string[]): Candidate[] {
  const searched = searchDomains.flatMap((text) => {
    const domain = parseName(text);
    const name = domain && without(qname, domain);
    return name ? readings(name, true) : [];
  });
  return [...readings(qname, false), ...searched];
}
