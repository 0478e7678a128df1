import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader, framed } from '../../src/shim/tcp-frames.ts';

function messagesOf(reader: FrameReader): { wires: string[]; last: string } {
  const wires: string[] = [];
  for (;;) {
    const frame = reader.next();
    if (frame.kind !== 'message') return { wires, last: frame.kind };
    wires.push(frame.wire.toString('hex'));
  }
}

describe('a frame reader', () => {
  it('finds the messages of a stream, however it is cut', () => {
    const wire = fc.uint8Array({ minLength: 12, maxLength: 300 });
    const cuts = fc.array(fc.nat(2000), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(wire, { maxLength: 8 }), cuts, (wires, cuts) => {
        const stream = Buffer.concat(wires.map(framed));
        const ends = [...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort((a, b) => a - b);
        const reader = new FrameReader(300);
        const found = ends.flatMap((end, index) => {
          reader.push(stream.subarray(ends[index - 1] ?? 0, end));
          return messagesOf(reader).wires;
        });
        expect(found).toEqual(wires.map((octets) => Buffer.from(octets).toString('hex')));
      }),
    );
  });

  it.each([
    ['empty', '0000', 'malformed'],
    ['shorter than a header', '000b', 'malformed'],
    ['of a header alone', '000c', 'incomplete'],
    ['of the most octets', '0064', 'incomplete'],
    ['of one more', '0065', 'malformed'],
    ['of a length cut in half', '00', 'incomplete'],
  ])('tells a message %s by its length alone', (_, hex, kind) => {
    const reader = new FrameReader(100);
    reader.push(Buffer.from(hex, 'hex'));
    expect(reader.next().kind).toBe(kind);
  });
});
