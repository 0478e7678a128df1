/** Resource record types and QTYPEs that have a mnemonic here (IANA registry "Resource Record (RR) TYPEs"). */
export const RRType = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  SIG: 24,
  KEY: 25,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  EUI48: 108,
  EUI64: 109,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  URI: 256,
  CAA: 257,
} as const;

export const RRClass = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

export const Opcode = { query: 0, iquery: 1, status: 2, notify: 4, update: 5, dso: 6 } as const;

/** Response codes; those above 15 need an OPT record to carry their upper bits (RFC 6891 section 6.1.3). */
export const Rcode = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  yxDomain: 6,
  yxRrSet: 7,
  nxRrSet: 8,
  notAuth: 9,
  notZone: 10,
  badVers: 16,
} as const;

/** Extended DNS errors (RFC 8914 section 4). */
export const EdeCode = {
  other: 0,
  unsupportedDnskeyAlgorithm: 1,
  unsupportedDsDigestType: 2,
  staleAnswer: 3,
  forgedAnswer: 4,
  dnssecIndeterminate: 5,
  dnssecBogus: 6,
  signatureExpired: 7,
  signatureNotYetValid: 8,
  dnskeyMissing: 9,
  rrsigsMissing: 10,
  noZoneKeyBitSet: 11,
  nsecMissing: 12,
  cachedError: 13,
  notReady: 14,
  blocked: 15,
  censored: 16,
  filtered: 17,
  prohibited: 18,
  staleNxdomainAnswer: 19,
  notAuthoritative: 20,
  notSupported: 21,
  noReachableAuthority: 22,
  networkError: 23,
  invalidData: 24,
} as const;

const namesByNumber = (numbers: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(numbers).map(([name, number]) => [number, name]));

/** Marked, as all that reads the table as a whole: a bundle without it then needs none of the types it does not name. */
const TYPE_NAMES = /* @__PURE__ */ namesByNumber(RRType);

/** `A`, or `TYPE123` for a type without a mnemonic here (RFC 3597 section 5). */
export const typeName = (type: number): string => TYPE_NAMES.get(type) ?? `TYPE${type}`;

/** Reads `A`, `TYPE1` (RFC 3597 section 5) or `1`, in any case; undefined when it is none of them. */
export function parseType(text: string): number | undefined {
  const name = text.toUpperCase();
  if (Object.hasOwn(RRType, name)) return RRType[name as keyof typeof RRType];
  const [, digits] = /^(?:type)?([0-9]{1,5})$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const type = Number(digits);
  return type <= 0xffff ? type : undefined;
}

/** From 0 on; a list of its own, so that a bundle needs of `Rcode` only what it names. */
const RCODE_NAMES = 'NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE'.split(
  ' ',
);

/** `NOERROR`, `NXDOMAIN`, …, or `RCODE123`. */
export const rcodeName = (rcode: number): string =>
  rcode === Rcode.badVers ? 'BADVERS' : (RCODE_NAMES[rcode] ?? `RCODE${rcode}`);
