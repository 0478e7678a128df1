import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeName, readName } from '../../src/dns/name.ts';
import { decodeQuery, encodeQuery } from '../../src/dns/query.ts';
import { decoded, name, query, queryWire } from '../support/dns.ts';
import { anyOctets, mutated, queryCase } from '../support/dns-arbitraries.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

const HEADER = '1234 0100 0001 0000 0000 0000';
const QUESTION = '0141 0162 00 0001 0001';
const OPT = '00 0029 04d0 00 00 8000 0000';

/** A query with the given QDCOUNT, ANCOUNT, NSCOUNT and ARCOUNT, and body. */
const counted = (counts: string, body: string): Buffer => hex(`1234 0100 ${counts} ${body}`);

describe('decodeQuery', () => {
  it('reads the header and the question', () => {
    const wire = hex(`${HEADER} ${QUESTION}`);
    expect(decodeQuery(wire)).toEqual({
      ok: true,
      query: {
        wire,
        id: 0x1234,
        opcode: 0,
        rd: true,
        ad: false,
        cd: false,
        qdcount: 1,
        question: { qname: 'a.b', qtype: 1, qclass: 1, wire: hex(QUESTION) },
        optCount: 0,
      },
    });
  });

  it.each([
    ['0000', { rd: false, ad: false, cd: false, opcode: 0 }],
    ['0100', { rd: true }],
    ['0020', { ad: true }],
    ['0010', { cd: true }],
    ['2800', { opcode: 5 }],
    ['7800', { opcode: 15 }],
  ])('reads the flags %s', (flags, expected) => {
    expect(decoded(hex(`0000 ${flags} 0001 0000 0000 0000 ${QUESTION}`))).toMatchObject(expected);
  });

  it('takes any Uint8Array, without a copy', () => {
    const octets = new Uint8Array(hex(`ff ${HEADER} ${QUESTION}`)).subarray(1);
    const { wire } = decoded(octets);
    expect(wire.buffer).toBe(octets.buffer);
    expect(wire.equals(octets)).toBe(true);
  });

  it.each([
    [OPT, { udpSize: 1232, version: 0, do: true, padded: false, hasClientSubnet: false }],
    ['00 0029 0200 00 01 0000 0000', { udpSize: 512, version: 1, do: false }],
    ['00 0029 0000 00 00 7fff 0000', { udpSize: 0, do: false }],
    ['00 0029 04d0 00 00 0000 0004 000c 0000', { padded: true, hasClientSubnet: false }],
    ['00 0029 04d0 00 00 0000 000b 0008 0007 0001 1800 c00002', { padded: false, hasClientSubnet: true }],
    ['00 0029 04d0 00 00 0000 0009 fde9 0001 ff 000c 0000', { padded: true }],
  ])('reads the OPT %s', (opt, expected) => {
    const { optCount, edns } = decoded(counted('0001 0000 0000 0001', QUESTION + opt));
    expect(optCount).toBe(1);
    expect(edns).toMatchObject(expected);
  });

  it('finds the OPT among other additional records', () => {
    const tsig = '0161 00 00fa 00ff 00000000 0001 aa';
    expect(decoded(counted('0001 0000 0000 0003', QUESTION + tsig + OPT + tsig)).edns?.udpSize).toBe(1232);
  });

  it('leaves what has an answer in DNS to the resolver: question counts other than 1, two OPT records', () => {
    const none = decoded(counted('0000 0000 0000 0000', ''));
    expect(none).toMatchObject({ qdcount: 0, optCount: 0 });
    expect(none).not.toHaveProperty('question');
    const two = decoded(counted('0002 0000 0000 0000', `${QUESTION} 0163 c00c 0001 0001`));
    expect(two.qdcount).toBe(2);
    expect(two).not.toHaveProperty('question');
    const twoOpts = decoded(counted('0001 0000 0000 0002', QUESTION + OPT + OPT));
    expect(twoOpts.optCount).toBe(2);
    expect(twoOpts).not.toHaveProperty('edns');
  });

  it.each([
    ['no octets', ''],
    ['half a header', '1234 0100 0001 0000 0000'],
    ['a response', `1234 8100 0001 0000 0000 0000 ${QUESTION}`],
    ['no question where one is counted', HEADER],
    ['half a question', `${HEADER} 0141 0162 00 0001 00`],
    ['octets after the question', `${HEADER} ${QUESTION} 00`],
    ['65,535 questions', '0000 0100 ffff 0000 0000 0000 00 0001 0001'],
    ['65,535 records of each kind', `0000 0100 0001 ffff ffff ffff ${QUESTION}`],
    ['a question name that points to itself', `${HEADER} c00c 0001 0001`],
    ['a question name that points forward', `${HEADER} c012 0001 0001 0161 00`],
    ['a question name that points into the header', `${HEADER} c000 0001 0001`],
    ['a label type of its own', `${HEADER} 4141 00 0001 0001`],
    ['a label over 63 octets', `${HEADER} 40${'61'.repeat(64)} 00 0001 0001`],
    ['a name over 255 octets', `${HEADER} ${`3f${'61'.repeat(63)}`.repeat(4)} 00 0001 0001`],
    ['half an OPT', `1234 0100 0001 0000 0000 0001 ${QUESTION} 00 0029 04d0 00 00 8000 00`],
    ['an OPT that is too short', `1234 0100 0001 0000 0000 0001 ${QUESTION} 00 0029 04d0 00 00 8000 0001`],
    ['an OPT with an owner', `1234 0100 0001 0000 0000 0001 ${QUESTION} 0161 00 0029 04d0 00 00 8000 0000`],
    ['an OPT as an answer', `1234 0100 0001 0001 0000 0000 ${QUESTION} ${OPT}`],
    ['an OPT as an authority', `1234 0100 0001 0000 0001 0000 ${QUESTION} ${OPT}`],
    ['half an option', `1234 0100 0001 0000 0000 0001 ${QUESTION} 00 0029 04d0 00 00 8000 0003 000c00`],
    ['an option past its OPT', `1234 0100 0001 0000 0000 0001 ${QUESTION} 00 0029 04d0 00 00 8000 0005 000c 0002 00`],
    ['an owner that points forward', `1234 0100 0001 0000 0000 0001 ${QUESTION} c0ff 0001 0001 00000000 0000`],
    ['octets after the OPT', `1234 0100 0001 0000 0000 0001 ${QUESTION} ${OPT} 00`],
    ['an OPT that is not counted', `${HEADER} ${QUESTION} ${OPT}`],
  ])('refuses %s in one line', (_, octets) => {
    expect(decodeQuery(hex(octets))).toEqual({ ok: false, reason: expect.stringMatching(/^[^\n]+$/) });
  });

  it('never throws, and what it takes is consistent', () => {
    const wires = fc.oneof(anyOctets, mutated(queryCase.map(({ wire }) => wire)));
    fc.assert(
      fc.property(wires, (wire) => {
        const result = decodeQuery(wire);
        if (!result.ok) return;
        const { question, edns, qdcount, optCount } = result.query;
        expect(question !== undefined).toBe(qdcount === 1);
        expect(edns !== undefined).toBe(optCount === 1);
        if (question) expect(readName(question.wire, 0)?.name).toBe(question.qname);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses every beginning of a message', () => {
    fc.assert(
      fc.property(queryCase, fc.nat(), ({ wire }, cut) => {
        expect(decodeQuery(wire.subarray(0, cut % wire.length)).ok).toBe(false);
      }),
    );
  });
});

describe('encodeQuery', () => {
  it('asks with id 0 and RD, without EDNS, unless told otherwise', () => {
    expect(encodeQuery({ qname: name('a.b'), qtype: 1 })).toEqual(
      hex('0000 0100 0001 0000 0000 0000 0161 0162 00 0001 0001'),
    );
  });

  it('writes id, flags and EDNS', () => {
    const wire = encodeQuery({
      qname: name('.'),
      qtype: 28,
      id: 0xfffe,
      rd: false,
      cd: true,
      edns: { udpSize: 4096, do: true },
    });
    expect(wire).toEqual(hex('fffe 0010 0001 0000 0000 0001 00 001c 0001 00 0029 1000 0000 8000 0000'));
  });

  it('writes what decodeQuery reads', () => {
    fc.assert(
      fc.property(queryCase, ({ qname, qtype, options, wire }) => {
        const query = decoded(wire);
        expect(query).toMatchObject({
          wire,
          id: options.id ?? 0,
          rd: options.rd ?? true,
          cd: options.cd ?? false,
          qdcount: 1,
          question: { qname, qtype, qclass: 1, wire: wire.subarray(12, 12 + encodeName(qname).length + 4) },
        });
        const padded = options.padded ?? false;
        const hasClientSubnet = options.clientSubnet ?? false;
        if (options.edns) expect(query.edns).toMatchObject({ version: 0, ...options.edns, padded, hasClientSubnet });
        expect(query.optCount).toBe(options.edns || padded || hasClientSubnet ? 1 : 0);
      }),
    );
  });

  it('is what tests ask with, case kept on request', () => {
    expect(queryWire('MiXed.Example', 'A', { keepCase: true }).toString('latin1')).toContain('\x05MiXed\x07Example');
    expect(query('MiXed.Example', 'A', { keepCase: true }).question?.qname).toBe('mixed.example');
  });
});
