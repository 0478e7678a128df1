import { RRType } from './constants.ts';
import { ipText } from './ip-address.ts';
import { readName } from './name.ts';
import { uint16, uint32 } from './octets.ts';
import { addressIn, type RecordAt } from './walk.ts';

/** Addresses in the form of RFC 5952; undefined for other types, and where the length is not that of the type. */
export function addressText(wire: Buffer, record: RecordAt): string | undefined {
  const address = addressIn(wire, record);
  return address && ipText(address);
}

interface NameLayout {
  /** 16-bit fields before the names. */
  readonly before: number;
  readonly names: number;
  /** 32-bit fields after the names. */
  readonly after: number;
}

const ONE_NAME: NameLayout = { before: 0, names: 1, after: 0 };
const PREFERENCE_AND_NAME: NameLayout = { before: 1, names: 1, after: 0 };

/** The types whose RDATA is numbers and names, of which other records may compress the names. */
const NAME_LAYOUTS: ReadonlyMap<number, NameLayout> = new Map([
  [RRType.NS, ONE_NAME],
  [RRType.CNAME, ONE_NAME],
  [RRType.PTR, ONE_NAME],
  [RRType.DNAME, ONE_NAME],
  [RRType.MX, PREFERENCE_AND_NAME],
  [RRType.AFSDB, PREFERENCE_AND_NAME],
  [RRType.KX, PREFERENCE_AND_NAME],
  [RRType.RP, { before: 0, names: 2, after: 0 }],
  [RRType.SRV, { before: 3, names: 1, after: 0 }],
  [RRType.SOA, { before: 0, names: 2, after: 5 }],
]);

/** RDATA of numbers and names; undefined for other types, and where the fields do not end with the RDATA. */
export function namesText(wire: Buffer, { type, rdataOffset, end }: RecordAt): string | undefined {
  const layout = NAME_LAYOUTS.get(type);
  if (layout === undefined) return undefined;
  const fields: (string | number)[] = [];
  let at = rdataOffset;
  for (let index = 0; index < layout.before; index++, at += 2) fields.push(uint16(wire, at));
  for (let index = 0; index < layout.names; index++) {
    const target = readName(wire, at);
    if (target === undefined) return undefined;
    fields.push(target.name);
    at = target.end;
  }
  for (let index = 0; index < layout.after; index++, at += 4) fields.push(uint32(wire, at));
  return at === end ? fields.join(' ') : undefined;
}

/** RFC 3597 section 5. */
export function unknownText(wire: Buffer, { rdataOffset, rdataLength, end }: RecordAt): string {
  const header = `\\# ${rdataLength}`;
  return rdataLength === 0 ? header : `${header} ${wire.toString('hex', rdataOffset, end)}`;
}

/** A `<character-string>` in quotes (RFC 1035 section 5.1). */
export const quoted = (octets: Uint8Array | string): string => `"${escaped(octets, /["\\]|[^ -~]/g)}"`;

/** A word without quotes: a tag, or a name none of whose labels has a dot. */
export const word = (octets: string): string => escaped(octets, /\\|[^!-~]/g);

/** UTF-8 octets that match, which excludes all that a terminal could take for a command, become `\X` or `\DDD`. */
function escaped(octets: Uint8Array | string, special: RegExp): string {
  const text = Buffer.from(octets).toString('latin1');
  return text.replace(special, (octet) =>
    octet === '"' || octet === '\\' ? `\\${octet}` : `\\${String(octet.charCodeAt(0)).padStart(3, '0')}`,
  );
}
