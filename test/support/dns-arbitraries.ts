import fc from 'fast-check';
import { RRType } from '../../src/dns/constants.ts';
import { type DomainName, parseName, readName } from '../../src/dns/name.ts';
import type { ResourceRecord } from '../../src/dns/record.ts';
import type { ResponseContent } from '../../src/dns/response.ts';
import { decoded, type QueryOptions, queryWire, responseWire } from './dns.ts';

/** Labels of any octets, seldom the longest. */
const label = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[a-zA-Z0-9_*-]{1,12}$/).map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 8 }).map((octets) => Buffer.from(octets)) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 55, maxLength: 63 }).map((octets) => Buffer.from(octets)) },
);

/** A name in uncompressed wire form, 1 to 255 octets. */
export const nameWire: fc.Arbitrary<Buffer> = fc
  .array(label, { maxLength: 12 })
  .map((labels) => Buffer.concat([...labels.flatMap((octets) => [Buffer.of(octets.length), octets]), Buffer.of(0)]))
  .filter((wire) => wire.length <= 255);

export const domainName: fc.Arbitrary<DomainName> = nameWire.map((wire) => {
  const read = readName(wire, 0);
  if (read === undefined) throw new Error(`not a name: ${wire.toString('hex')}`);
  return read.name;
});

const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const ttl = fc.integer({ min: 0, max: 0x7fff_ffff });
const shortText = fc.string({ maxLength: 40 });

const recordData = (target: fc.Arbitrary<DomainName>) =>
  fc.oneof(
    fc.record({ type: fc.constant('A' as const), address: fc.ipV4() }),
    fc.record({ type: fc.constant('AAAA' as const), address: fc.ipV6() }),
    fc.record({ type: fc.constantFrom('CNAME' as const, 'PTR' as const), target }),
    fc.record({ type: fc.constant('SRV' as const), priority: uint16, weight: uint16, port: uint16, target }),
    fc.record({ type: fc.constant('HINFO' as const), cpu: shortText, os: shortText }),
    fc.record({ type: fc.constant('TXT' as const), text: fc.array(shortText, { minLength: 1, maxLength: 3 }) }),
    fc.record({
      type: fc.constant('SOA' as const),
      mname: target,
      rname: target,
      serial: uint32,
      refresh: uint32,
      retry: uint32,
      expire: uint32,
      minimum: uint32,
    }),
  );

/** Records whose names share suffixes, so that there is something to compress. */
const records = (names: fc.Arbitrary<DomainName>): fc.Arbitrary<ResourceRecord[]> =>
  fc.array(
    fc.tuple(names, ttl, recordData(names)).map(([owner, seconds, data]) => ({ owner, ttl: seconds, ...data })),
    { maxLength: 20 },
  );

const queryOptions: fc.Arbitrary<QueryOptions> = fc.record(
  {
    id: uint16,
    rd: fc.boolean(),
    cd: fc.boolean(),
    edns: fc.record({ udpSize: uint16, do: fc.boolean() }),
    padded: fc.boolean(),
    clientSubnet: fc.boolean(),
  },
  { requiredKeys: [] },
);

export interface QueryCase {
  readonly qname: DomainName;
  readonly qtype: number;
  readonly options: QueryOptions;
  readonly wire: Buffer;
}

export const queryCase: fc.Arbitrary<QueryCase> = fc
  .tuple(domainName, fc.oneof(fc.constantFrom(...Object.values(RRType)), uint16), queryOptions)
  .map(([qname, qtype, options]) => ({ qname, qtype, options, wire: queryWire(qname, qtype, options) }));

export interface ResponseCase {
  readonly query: QueryCase;
  readonly content: ResponseContent;
  readonly wire: Buffer;
}

export const responseCase: fc.Arbitrary<ResponseCase> = queryCase.chain((query) => {
  const below = domainName.map((child) => parseName(`${child}.${query.qname}`) ?? child);
  const names = fc.oneof(fc.constant(query.qname), domainName, below);
  const content = fc.record(
    {
      rcode: fc.integer({ min: 0, max: 15 }),
      aa: fc.boolean(),
      answers: records(names),
      authorities: records(names),
      ede: fc.record({ code: uint16, text: shortText }),
    },
    { requiredKeys: ['rcode'] },
  );
  return content.map((value) => ({ query, content: value, wire: responseWire(decoded(query.wire), value) }));
});

/** A valid message with a few octets overwritten, and perhaps cut short or extended. */
export const mutated = (messages: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      messages,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
      fc.option(fc.nat(), { freq: 3 }),
      fc.uint8Array({ maxLength: 3 }),
    )
    .map(([message, changes, cut, tail]) => {
      const wire = Buffer.concat([message.subarray(0, cut === null ? message.length : cut % message.length), tail]);
      for (const [at, octet] of changes) if (wire.length > 0) wire[at % wire.length] = octet;
      return wire;
    });

/** Octets that are hardly ever a message, long enough for counts and pointers to matter. */
export const anyOctets: fc.Arbitrary<Buffer> = fc
  .oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 400, maxLength: 1400 }))
  .map((octets) => Buffer.from(octets));
