import { expect, it } from 'vitest';
import { hostRecord } from '../support/answering.ts';
import { answersOf, message, queryWire, rcodeIn } from '../support/dns.ts';
import { overEveryCarrier } from '../support/every-carrier.ts';

const HOSTS = [hostRecord('owned.internal')];

const changed = (wire: Buffer, ...changes: readonly (readonly [at: number, octet: number])[]) => {
  for (const [at, octet] of changes) wire[at] = octet;
  return wire;
};
const header = (...counts: readonly number[]) => {
  const wire = Buffer.alloc(12);
  counts.forEach((count, index) => {
    wire.writeUInt16BE(count, 4 + 2 * index);
  });
  return wire;
};
const TAIL = Buffer.from('00010001', 'hex');
const question = (...name: readonly Buffer[]) => Buffer.concat([header(1, 0, 0, 0), ...name, TAIL]);
const label = (length: number) => Buffer.concat([Buffer.of(length), Buffer.alloc(length, 'x')]);

overEveryCarrier('RFC 1035', HOSTS, (talk) => {
  it.each([0, 1, 0xfefe])(
    'section 4.1.1: id %i and RD are echoed, QR and RA are set, also from the cache',
    async (id) => {
      for (const rd of [true, false, true]) {
        for (const qname of ['owned.internal', 'www.example.org']) {
          const wire = await talk.ask(queryWire(qname, 'A', { id, rd }));
          expect(message(wire)).toMatchObject({ id, rd, ra: true, tc: false, aa: qname === 'owned.internal' });
          expect((wire[2] ?? 0) & 0x80).toBe(0x80);
        }
      }
    },
  );

  it('section 4.1.1: CD and DO are put to the upstream, and CD is echoed (RFC 4035 section 3.2.2)', async () => {
    const asked = queryWire('www.example.org', 'A', { cd: true, edns: { udpSize: 1232, do: true } });
    expect(message(await talk.ask(asked))).toMatchObject({ cd: true, edns: { do: true } });
    expect(talk.answering.forwarded[0]).toMatchObject({ cd: true, edns: { do: true } });
    expect(message(await talk.ask(queryWire('www.example.org')))).toMatchObject({ cd: false });
    expect(talk.answering.forwarded).toHaveLength(2);
  });

  it('section 4.1.4: owners are pointers to the question', async () => {
    const wire = await talk.ask(queryWire('owned.internal'));
    expect(answersOf(wire)).toHaveLength(2);
    expect(wire.length).toBe(12 + 16 + 4 + 2 * 16);
    expect(wire.readUInt16BE(32)).toBe(0xc00c);
  });

  it.each([
    ['IQUERY', 1, 'NOTIMP'],
    ['STATUS', 2, 'NOTIMP'],
    ['NOTIFY', 4, 'NOTIMP'],
    ['UPDATE', 5, 'NOTIMP'],
    ['15, which is nobody’s', 15, 'NOTIMP'],
  ])('opcode %s is %3$s', async (_name, opcode, rcode) => {
    const wire = await talk.ask(changed(queryWire('owned.internal'), [2, (opcode << 3) | 1]));
    expect(rcodeIn(wire)).toBe(rcode);
    expect(((wire[2] ?? 0) >> 3) & 0x0f).toBe(opcode);
  });

  it('QDCOUNT 0 and 2 are FORMERR', async () => {
    expect(rcodeIn(await talk.ask(header(0, 0, 0, 0)))).toBe('FORMERR');
    const one = queryWire('owned.internal').subarray(12);
    expect(rcodeIn(await talk.ask(Buffer.concat([header(2, 0, 0, 0), one, one])))).toBe('FORMERR');
  });

  it.each(['AXFR', 'IXFR'])('%s is REFUSED', async (type) => {
    expect(rcodeIn(await talk.ask(queryWire('owned.internal', type)))).toBe('REFUSED');
    expect(rcodeIn(await talk.ask(queryWire('www.example.org', type)))).toBe('REFUSED');
    expect(talk.answering.forwarded).toEqual([]);
  });

  it.each([3, 4, 254, 255])('class %i is REFUSED', async (qclass) => {
    const asked = queryWire('owned.internal');
    expect(rcodeIn(await talk.ask(changed(asked, [asked.length - 1, qclass])))).toBe('REFUSED');
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['half a header', Buffer.alloc(11)],
    ['a response', changed(queryWire('owned.internal'), [2, 0x81])],
    ['a question that is not there', header(1, 0, 0, 0)],
    ['65,535 questions', Buffer.concat([header(65_535, 0, 0, 0), queryWire('owned.internal').subarray(12)])],
    ['65,535 records of each section', Buffer.concat([header(1, 65_535, 65_535, 65_535), question().subarray(12)])],
    ['a name that points at itself', question(Buffer.of(0xc0, 12))],
    ['a name that points forwards', question(Buffer.of(0xc0, 14, 0xc0, 12))],
    ['a name that points past the end', question(Buffer.of(0xff, 0xff))],
    ['a label of 64 octets', question(label(64), Buffer.of(0))],
    ['a label of a reserved kind', question(Buffer.of(0x80, 0))],
    ['a name over 255 octets', question(label(63), label(63), label(63), label(63), Buffer.of(0))],
    ['a name without an end', Buffer.concat([header(1, 0, 0, 0), label(20)])],
    ['octets after it', Buffer.concat([queryWire('owned.internal'), Buffer.of(0)])],
    [
      'a record that is cut short',
      Buffer.concat([queryWire('owned.internal', 'A', { edns: { udpSize: 1232 } })]).subarray(0, -1),
    ],
  ])('400 in one line for %s', async (_what, wire) => {
    const { status, headers, body } = await talk.post(wire);
    expect([status, headers['cache-control']]).toEqual([400, 'no-store']);
    expect(body.toString()).toMatch(/^[^\n]+\n$/);
  });

  it('forwarded octets are kept: unknown types, cases and compression of the upstream', async () => {
    const asked = queryWire('www.example.org', 65_280);
    const tail = Buffer.from('c010ff000001000000640004deadbeef', 'hex');
    talk.answering.upstream = ({ wire }) => {
      const response = Buffer.concat([wire, tail]);
      return changed(response, [2, 0x81], [3, 0xa0], [7, 1]);
    };
    for (const _ of ['from the upstream', 'from the cache']) {
      const wire = await talk.ask(asked);
      expect(wire.subarray(-tail.length).equals(tail)).toBe(true);
      expect(message(wire).ad).toBe(true);
    }
    expect(talk.answering.forwarded).toHaveLength(1);
  });
});
