/** A DoH server of its own process, on http://127.0.0.1, for names that nobody has registered; prints its URL. */
import { RRType } from '../../src/dns/constants.ts';
import type { DomainName } from '../../src/dns/name.ts';
import type { ResourceRecord } from '../../src/dns/record.ts';
import type { ResponseContent } from '../../src/dns/response.ts';
import { name } from '../support/dns.ts';
import { answer, DohUpstream } from '../support/doh-upstream.ts';

const TTL = 60;
export const MANY = 43;
/** 4 KB of text. */
const TEXT = Array.from({ length: 16 }, (_, n) => `${n}`.padEnd(250, '.'));

const ZONE = name('example.com');
const soa: ResourceRecord = {
  ...{ type: 'SOA', owner: ZONE, ttl: TTL, mname: ZONE, rname: ZONE, serial: 1 },
  ...{ refresh: 1, retry: 1, expire: 1, minimum: TTL },
};

type Records = (owner: DomainName) => readonly ResourceRecord[];

const ADDRESSES: Readonly<Record<string, Records>> = {
  'www.example.com A': (owner) => [{ type: 'A', owner, ttl: TTL, address: '192.0.2.80' }],
  'www.example.com AAAA': (owner) => [{ type: 'AAAA', owner, ttl: TTL, address: '2001:db8::80' }],
  'v4only.example.com A': (owner) => [{ type: 'A', owner, ttl: TTL, address: '192.0.2.81' }],
  'many.example.com A': (owner) =>
    Array.from({ length: MANY }, (_, n) => ({ type: 'A', owner, ttl: TTL, address: `192.0.2.${n + 1}` })),
  'text.example.com TXT': (owner) => [{ type: 'TXT', owner, ttl: TTL, text: TEXT }],
};

const NAMES = new Set(Object.keys(ADDRESSES).map((key) => key.split(' ')[0]));
const TYPES = new Map<number, string>([
  [RRType.A, 'A'],
  [RRType.AAAA, 'AAAA'],
  [RRType.TXT, 'TXT'],
]);

function contentFor(qname: DomainName, qtype: number): Partial<ResponseContent> {
  const answers = ADDRESSES[`${qname} ${TYPES.get(qtype)}`]?.(qname) ?? [];
  if (answers.length > 0) return { answers };
  return { rcode: NAMES.has(qname) ? 0 : 3, answers: [], authorities: [soa] };
}

if (import.meta.main) {
  const upstream = await DohUpstream.start({
    protocol: 'plain',
    script: (request) => {
      const { qname = name('.'), qtype = 0 } = request.query.question ?? {};
      return answer(request, contentFor(qname, qtype));
    },
  });
  process.stdout.write(`${upstream.url}\n`);
}
