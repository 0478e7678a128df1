import { describe, expect, it } from 'vitest';
import { Rcode, RRType } from '../../../src/dns/constants.ts';
import { type DomainName, parseName } from '../../../src/dns/name.ts';
import { decodeQuery } from '../../../src/dns/query.ts';
import type { ResourceRecord } from '../../../src/dns/record.ts';
import { encodeResponse } from '../../../src/dns/response.ts';
import { type AskOutside, lookUpWith } from '../../../src/shim/vips/look-up.ts';

const NAME = parseName('db.example') as DomainName;
const TARGET = parseName('e1.example') as DomainName;
const A: ResourceRecord = { type: 'A', owner: NAME, ttl: 600, address: '10.0.0.1' };

/** A resolver that has these records of type A, and none of type AAAA. */
const resolverWith =
  (answers: readonly ResourceRecord[], rcode: number = Rcode.noError): AskOutside =>
  async (query, question) => {
    const decoded = decodeQuery(query.wire);
    if (!decoded.ok) throw new Error(decoded.reason);
    const wire = encodeResponse(decoded.query, { rcode, answers: question.qtype === RRType.A ? answers : [] });
    return { ok: true, wire, upstream: 'here', age: 0 };
  };

describe('looking up the name of an endpoint', () => {
  it('resolves to its addresses, for as long as they may be believed', async () => {
    expect(await lookUpWith(resolverWith([A]))('db.example')).toEqual({ ipv4: ['10.0.0.1'], ipv6: [], ttl: 600 });
  });

  it('believes no address for longer than the alias that led to it', async () => {
    const alias: ResourceRecord = { type: 'CNAME', owner: NAME, ttl: 5, target: TARGET };
    const lookUp = lookUpWith(resolverWith([alias, { ...A, owner: TARGET }]));
    expect(await lookUp('db.example')).toEqual({ ipv4: ['10.0.0.1'], ipv6: [], ttl: 5 });
  });

  it('takes an error for no answer at all', async () => {
    const lookUp = lookUpWith(resolverWith([], Rcode.servFail));
    expect(await lookUp('db.example')).toMatchObject({ ipv4: undefined, ipv6: undefined });
  });
});
