import ipaddr from 'ipaddr.js';

type Ip = ipaddr.IPv4 | ipaddr.IPv6;

export interface ParsedAddress {
  readonly ip: Ip;
  /** `fe80::1%eth0`: an address of one link, which no DNS answer can carry. */
  readonly zoned: boolean;
}

export interface ParsedCidr {
  readonly ip: Ip;
  readonly bits: number;
}

/** Four decimal parts without leading zeros; ipaddr.js alone also takes octal, hexadecimal and shortened forms. */
const parseIPv4 = (text: string): ipaddr.IPv4 | undefined =>
  ipaddr.IPv4.isValidFourPartDecimal(text) ? ipaddr.IPv4.parse(text) : undefined;

const hexGroups = (ip: ipaddr.IPv4): string => {
  const [a = 0, b = 0, c = 0, d = 0] = ip.octets;
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
};

/** A dotted tail is turned into groups first: ipaddr.js reads `::1.2.3.4` as `::ffff:1.2.3.4`, and is lax with its parts. */
function parseIPv6(text: string): ipaddr.IPv6 | undefined {
  const tailAt = text.lastIndexOf(':') + 1;
  if (tailAt === 0) return undefined;
  const tail = text.slice(tailAt);
  const dotted = tail.includes('.') ? parseIPv4(tail) : undefined;
  const groups = dotted ? text.slice(0, tailAt) + hexGroups(dotted) : text;
  return !groups.includes('.') && ipaddr.IPv6.isValid(groups) ? ipaddr.IPv6.parse(groups) : undefined;
}

/** An IPv4 or IPv6 address as Go's `netip.ParseAddr` reads it; a zone may follow an IPv6 address. */
export function parseAddress(text: string): ParsedAddress | undefined {
  const zoneAt = text.indexOf('%');
  if (zoneAt >= 0) {
    const ip = parseIPv6(text.slice(0, zoneAt));
    return ip && zoneAt < text.length - 1 ? { ip, zoned: true } : undefined;
  }
  const ip = parseIPv4(text) ?? parseIPv6(text);
  return ip && { ip, zoned: false };
}

/** `address/bits` as Go's `netip.ParsePrefix` reads it: no zone; bits below the mask may be set. */
function parseCidr(text: string): ParsedCidr | undefined {
  const slash = text.indexOf('/');
  const bitsText = text.slice(slash + 1);
  if (slash < 0 || !/^(?:0|[1-9]\d{0,2})$/.test(bitsText)) return undefined;
  const parsed = parseAddress(text.slice(0, slash));
  const bits = Number(bitsText);
  if (!parsed || parsed.zoned || bits > widthOf(parsed.ip)) return undefined;
  return { ip: parsed.ip, bits };
}

const widthOf = (ip: Ip): number => (ip.kind() === 'ipv4' ? 32 : 128);

const unwrap = (ip: Ip): Ip => (ip instanceof ipaddr.IPv6 && ip.isIPv4MappedAddress() ? ip.toIPv4Address() : ip);

/** IPv4-mapped IPv6 as IPv4; IPv6 in the form of RFC 5952. */
export const addressText = (ip: Ip): string => unwrap(ip).toString();

/** An item of `spec.addresses`, in canonical text. */
export type AddressItem =
  | { readonly kind: 'address'; readonly text: string }
  | { readonly kind: 'cidr'; readonly text: string }
  /** Carries a zone. */
  | { readonly kind: 'zoned' };

/** Undefined when `item` is neither an address nor a CIDR. A prefix of full length is an address. */
export function addressItem(item: string): AddressItem | undefined {
  if (!item.includes('/')) {
    const parsed = parseAddress(item);
    if (!parsed) return undefined;
    return parsed.zoned ? { kind: 'zoned' } : { kind: 'address', text: addressText(parsed.ip) };
  }
  const cidr = parseCidr(item);
  if (!cidr) return undefined;
  if (cidr.bits === widthOf(cidr.ip)) return { kind: 'address', text: addressText(cidr.ip) };
  return { kind: 'cidr', text: cidrText(cidr) };
}

function cidrText({ ip, bits }: ParsedCidr): string {
  const inner = bits >= 96 ? unwrap(ip) : ip;
  const innerBits = bits - (widthOf(ip) - widthOf(inner));
  const text = `${inner}/${innerBits}`;
  const network =
    inner instanceof ipaddr.IPv4 ? ipaddr.IPv4.networkAddressFromCIDR(text) : ipaddr.IPv6.networkAddressFromCIDR(text);
  return `${network}/${innerBits}`;
}
