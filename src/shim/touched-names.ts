import { encodeName, parseName } from '../dns/name.ts';
import type { TableDiff } from '../table/diff-tables.ts';
import type { MeshTable } from '../table/mesh-table.ts';

/** In wire form, a character for each octet. */
const wireOf = (text: string): string => {
  const name = parseName(text);
  return name === undefined ? '' : encodeName(name).toString('latin1');
};

/** The name itself and all above it, in wire form; the root last. */
function* upwards(wire: string): Generator<string> {
  for (let at = 0; at < wire.length; at += 1 + wire.charCodeAt(at)) yield wire.slice(at);
}

/**
 * Whether the answer for a name (wire form, lower case, a character for each octet) can be another after a change of
 * the table: the hosts that changed, names below them (services, wildcard hosts), names above them (they exist or not)
 * and all of these with a search domain after them.
 */
export function touchedNames(table: MeshTable, diff: TableDiff): (qname: string) => boolean {
  if (diff.everything) return () => true;
  const suffixes = ['', ...table.view.searchDomains.map((domain) => `.${domain}`)];
  const hosts = diff.hosts.map((host) => (host.startsWith('*.') ? host.slice(2) : host));
  const changed = new Set(hosts.flatMap((host) => suffixes.map((suffix) => wireOf(host + suffix))).filter(Boolean));
  const above = new Set([...changed].flatMap((wire) => [...upwards(wire)]));
  const reversed = hosts.length > 0 ? REVERSE_TREES : [];
  return (qname) =>
    above.has(qname) ||
    reversed.some((tree) => qname.endsWith(tree)) ||
    upwards(qname).some((suffix) => changed.has(suffix));
}

/** A virtual IP may have come or gone: its pointer is cheap to ask again. */
const REVERSE_TREES = ['\x07in-addr\x04arpa\0', '\x03ip6\x04arpa\0'];
