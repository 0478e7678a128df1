import { type DomainName, labelsOf, parentOf, parseName } from '../dns/name.ts';

/** Names above a host, of at least two labels: they exist as soon as the host does (RFC 8020, RFC 4592 section 2.2.2). */
export function namesAbove(host: string): DomainName[] {
  const names: DomainName[] = [];
  const parent = host.startsWith('*.') ? parseName(host.slice(2)) : undefined;
  const start = parseName(host);
  let name = parent ?? (start && parentOf(start));
  while (name && labelsOf(name).length >= 2) {
    names.push(name);
    name = parentOf(name);
  }
  return names;
}
