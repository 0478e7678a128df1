import { ipText, isWithin, parsePrefix } from '../dns/ip-address.ts';
import { type DomainName, labelsOf, parseName } from '../dns/name.ts';

/** Where a name lies in the reverse zone of a VIP prefix. */
export type ReversePlace =
  /** The name of one address (canonical text). */
  | { readonly kind: 'address'; readonly address: string; readonly zone: DomainName }
  /** Above addresses of the prefix: it exists, but has no records (an empty non-terminal). */
  | { readonly kind: 'above'; readonly zone: DomainName }
  /** In the zone, but the name of nothing. */
  | { readonly kind: 'nothing'; readonly zone: DomainName };

interface Tree {
  readonly suffix: readonly [string, string];
  /** Bits that one label stands for, and labels of a whole address. */
  readonly bits: number;
  readonly labels: number;
  readonly octet: (labels: readonly string[], index: number) => number | undefined;
}

const decimal = (label: string | undefined): number | undefined =>
  label !== undefined && /^(0|[1-9]\d{0,2})$/.test(label) && Number(label) < 256 ? Number(label) : undefined;

const nibble = (label: string | undefined): number | undefined =>
  label !== undefined && /^[0-9a-f]$/.test(label) ? Number.parseInt(label, 16) : undefined;

/** `labels` from the most significant on; missing ones read as 0. */
const IPV4: Tree = {
  suffix: ['in-addr', 'arpa'],
  bits: 8,
  labels: 4,
  octet: (labels, index) => decimal(labels[index] ?? '0'),
};
const IPV6: Tree = {
  suffix: ['ip6', 'arpa'],
  bits: 4,
  labels: 32,
  octet: (labels, index) => {
    const high = nibble(labels[2 * index] ?? '0');
    const low = nibble(labels[2 * index + 1] ?? '0');
    return high === undefined || low === undefined ? undefined : high * 16 + low;
  },
};

/** Whether the name is in one of the two reverse trees (RFC 1035 section 3.5, RFC 3596 section 2.5). */
export function isReverseName(qname: DomainName): boolean {
  const [tree, top] = labelsOf(qname).slice(-2);
  return top === 'arpa' && (tree === 'in-addr' || tree === 'ip6');
}

function octetsOf(tree: Tree, labels: readonly string[]): Uint8Array | undefined {
  const octets = Array.from({ length: (tree.labels * tree.bits) / 8 }, (_, index) => tree.octet(labels, index));
  return octets.includes(undefined) ? undefined : Uint8Array.from(octets as number[]);
}

/** Where `qname` lies below the reverse zone of `prefix` (a CIDR), or undefined when it lies elsewhere. */
export function placeInReverseZone(qname: DomainName, prefix: string): ReversePlace | undefined {
  const range = parsePrefix(prefix);
  if (range === undefined) return undefined;
  const tree = range.base.length === 4 ? IPV4 : IPV6;
  const all = labelsOf(qname);
  if (all.at(-2) !== tree.suffix[0] || all.at(-1) !== tree.suffix[1]) return undefined;
  const labels = all.slice(0, -2).reverse();
  const zoneLabels = Math.ceil(range.bits / tree.bits);
  if (labels.length < zoneLabels) return undefined;
  const octets = octetsOf(tree, labels.slice(0, zoneLabels));
  if (!octets || !isWithin(octets, range)) return undefined;
  const zone = parseName([...labels.slice(0, zoneLabels).reverse(), ...tree.suffix].join('.'));
  return zone && placeInZone(tree, labels, zone);
}

function placeInZone(tree: Tree, labels: readonly string[], zone: DomainName): ReversePlace {
  const octets = labels.length <= tree.labels ? octetsOf(tree, labels) : undefined;
  if (!octets) return { kind: 'nothing', zone };
  if (labels.length < tree.labels) return { kind: 'above', zone };
  return { kind: 'address', address: ipText(octets), zone };
}
