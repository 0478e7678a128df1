import { ipText, isWithin, parsePrefix } from '../dns/ip-address.ts';
import { type DomainName, isAtOrBelow, labelsOf } from '../dns/name.ts';

/** Where a name lies in the reverse zone of a VIP prefix. */
export type ReversePlace =
  /** The name of one address (canonical text). */
  | { readonly kind: 'address'; readonly address: string; readonly zone: DomainName }
  /** Above addresses of the prefix: it exists, but has no records (an empty non-terminal). */
  | { readonly kind: 'above'; readonly zone: DomainName }
  /** In the zone, but the name of nothing. */
  | { readonly kind: 'nothing'; readonly zone: DomainName };

interface Tree {
  readonly under: 'in-addr' | 'ip6';
  /** What one label stands for. */
  readonly bits: number;
  readonly label: RegExp;
  /** Of the labels of a whole address, from the most significant on. */
  readonly octets: (labels: readonly string[]) => Uint8Array;
}

const IPV4: Tree = {
  under: 'in-addr',
  bits: 8,
  label: /^(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$/,
  octets: (labels) => Buffer.from(labels.map(Number)),
};
const IPV6: Tree = {
  under: 'ip6',
  bits: 4,
  label: /^[0-9a-f]$/,
  octets: (labels) => Buffer.from(labels.join(''), 'hex'),
};

/** Whether the name is in one of the two reverse trees (RFC 1035 section 3.5, RFC 3596 section 2.5). */
export const isReverseName = (qname: DomainName): boolean =>
  isAtOrBelow(qname, 'in-addr.arpa' as DomainName) || isAtOrBelow(qname, 'ip6.arpa' as DomainName);

/** Where `qname` lies below the reverse zone of `prefix` (a CIDR), or undefined when it lies elsewhere. */
export function placeInReverseZone(qname: DomainName, prefix: string): ReversePlace | undefined {
  const range = parsePrefix(prefix);
  if (range === undefined) return undefined;
  const { under, bits, label, octets } = range.base.length === 4 ? IPV4 : IPV6;
  const most = (8 * range.base.length) / bits;
  const [top, second, ...labels] = labelsOf(qname).toReversed();
  const inZone = labels.slice(0, Math.ceil(range.bits / bits));
  if (top !== 'arpa' || second !== under || inZone.length * bits < range.bits) return undefined;
  // Labels that are missing read as 0.
  const read = (given: readonly string[]): Uint8Array | undefined =>
    given.length <= most && given.every((one) => label.test(one))
      ? octets([...given, ...Array<string>(most - given.length).fill('0')])
      : undefined;
  const base = read(inZone);
  if (!base || !isWithin(base, range)) return undefined;
  const zone = [...inZone.toReversed(), under, top].join('.') as DomainName;
  const ip = read(labels);
  if (!ip) return { kind: 'nothing', zone };
  return labels.length < most ? { kind: 'above', zone } : { kind: 'address', address: ipText(ip), zone };
}
