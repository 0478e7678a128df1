import { RRType } from '../../src/dns/constants.ts';
import { parseName } from '../../src/dns/name.ts';
import { encodeQuery } from '../../src/dns/query.ts';

/** What every server answers from local data: these names, each with one address. */
export const ZONE = 'bench.example.com';
export const ADDRESS = '192.0.2.53';
export const NAMES: readonly string[] = Array.from({ length: 100 }, (_, n) => `host${n}.${ZONE}`);

function queryOf(host: string): Buffer {
  const qname = parseName(host);
  if (!qname) throw new Error(`not a name: ${host}`);
  return encodeQuery({ qname, qtype: RRType.A, rd: true });
}

/** A query for each name. */
export const QUERIES: readonly Buffer[] = NAMES.map(queryOf);

/** RFC 8484 section 4.1.1: a GET of each name. */
export const TARGETS: readonly string[] = QUERIES.map((query) => `/dns-query?dns=${query.toString('base64url')}`);
