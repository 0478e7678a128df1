import { type DomainName, isAtOrBelow, labelsOf, parentOf, parseName } from '../dns/name.ts';

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

function matchingHosts(name: DomainName): string[] {
  const hosts: string[] = [name];
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

function candidate(qname: DomainName, searched: boolean): Candidate[] {
  const service = serviceLabels(qname);
  const name = parseName(labelsOf(qname).slice(service.length).join('.'));
  if (!name || labelsOf(name).length === 0) return [];
  return [{ name, hosts: matchingHosts(name), service, searched }];
}

/** `qname` without `domain`, or undefined when it is not below it. */
function without(qname: DomainName, domain: DomainName): DomainName | undefined {
  if (!isAtOrBelow(qname, domain) || qname === domain) return undefined;
  return parseName(labelsOf(qname).slice(0, -labelsOf(domain).length).join('.'));
}

/** How a question could be ours, in order of preference: as asked, then without each search domain. */
export function candidatesOf(qname: DomainName, searchDomains: readonly string[]): Candidate[] {
  const searched = searchDomains.flatMap((text) => {
    const domain = parseName(text);
    const name = domain && without(qname, domain);
    return name ? candidate(name, true) : [];
  });
  return [...candidate(qname, false), ...searched];
}
