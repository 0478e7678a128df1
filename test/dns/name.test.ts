import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeName, endOfName, isAtOrBelow, labelsOf, parentOf, parseName, readName } from '../../src/dns/name.ts';
import { name } from '../support/dns.ts';
import { anyOctets, domainName, nameWire } from '../support/dns-arbitraries.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('parseName', () => {
  it.each([
    ['auto.internal', 'auto.internal'],
    ['auto.internal.', 'auto.internal'],
    ['AUTO.Internal', 'auto.internal'],
    ['.', '.'],
    ['a', 'a'],
    ['*.example.com', '*.example.com'],
    ['_http._tcp.host', '_http._tcp.host'],
    ['a\\.b.c', 'a\\.b.c'],
    ['a\\046b.c', 'a\\.b.c'],
    ['a\\\\.b', 'a\\\\.b'],
    ['a\\\\', 'a\\\\'],
    ['\\097\\066', 'ab'],
    ['a b', 'a\\032b'],
    ['\\000\\255', '\\000\\255'],
    ['bücher.example', 'b\\195\\188cher.example'],
    ['B\\195\\156cher', 'b\\195\\156cher'],
    ['\\"\\;', '";'],
    ['end\\..', 'end\\.'],
  ])('reads %s as %s', (text, expected) => {
    expect(parseName(text)).toBe(expected);
  });

  it.each([
    '',
    '..',
    '.a',
    'a..b',
    'a..',
    'a\\',
    'a\\1',
    'a\\12x',
    'a\\256',
    'a\\999',
    'x'.repeat(64),
    `${'\\000'.repeat(64)}`,
    `${'x'.repeat(63)}.`.repeat(4),
    'x'.repeat(100_000),
    '\\'.repeat(1021),
  ])('refuses %j', (text) => {
    expect(parseName(text)).toBeUndefined();
  });

  it('takes labels of 63 octets and names of 255, and nothing longer', () => {
    const longest = `${`${'x'.repeat(63)}.`.repeat(3)}${'y'.repeat(61)}`;
    expect(parseName(longest)).toBe(longest);
    expect(encodeName(name(longest))).toHaveLength(255);
    expect(parseName(`${longest}y`)).toBeUndefined();
    const escaped = `${`${'\\000'.repeat(63)}.`.repeat(3)}${'\\000'.repeat(61)}`;
    expect(parseName(`${escaped}.`)).toBe(escaped);
  });
});

describe('the parts of a name', () => {
  it.each([
    ['.', []],
    ['a', ['a']],
    ['a.b.c', ['a', 'b', 'c']],
    ['a\\.b.c', ['a\\.b', 'c']],
    ['a\\\\.b', ['a\\\\', 'b']],
  ])('%s has the labels %j', (text, labels) => {
    expect(labelsOf(name(text))).toEqual(labels);
  });

  it.each([
    ['.', undefined],
    ['a', '.'],
    ['a.b.c', 'b.c'],
    ['a\\.b.c', 'c'],
    ['a\\\\.b', 'b'],
  ])('the parent of %s is %s', (text, parent) => {
    expect(parentOf(name(text))).toBe(parent);
  });

  it.each([
    ['a.b', 'b', true],
    ['a.b', 'a.b', true],
    ['a.b', '.', true],
    ['.', '.', true],
    ['.', 'b', false],
    ['b', 'a.b', false],
    ['ab', 'b', false],
    ['a\\.b', 'b', false],
    ['a\\\\.b', 'b', true],
    ['x.a\\.b', 'a\\.b', true],
  ])('%s at or below %s: %s', (text, ancestor, expected) => {
    expect(isAtOrBelow(name(text), name(ancestor))).toBe(expected);
  });

  it('every name is at or below its parent, and its parent is not below it', () => {
    fc.assert(
      fc.property(domainName, (child) => {
        const parent = parentOf(child);
        if (parent === undefined) return;
        expect(isAtOrBelow(child, parent)).toBe(true);
        expect(isAtOrBelow(parent, child)).toBe(false);
        expect(labelsOf(parent)).toEqual(labelsOf(child).slice(1));
      }),
    );
  });
});

describe('readName', () => {
  it('lower-cases ASCII letters only', () => {
    expect(readName(hex('04 41 5a c0 dc 00'), 0)).toEqual({ name: 'az\\192\\220', end: 6 });
  });

  it('reads a name from any Uint8Array', () => {
    expect(readName(new Uint8Array([1, 0x61, 0]), 0)).toEqual({ name: 'a', end: 3 });
  });

  const header = '00'.repeat(12);

  it.each([
    ['a pointer to a name before', '0161 00 0162 c00c', 15, 'b.a', 19],
    ['a pointer alone', '0161 00 c00c', 15, 'a', 17],
    ['a pointer to a pointer', '0161 00 c00c 0162 c00f', 17, 'b.a', 21],
    ['a pointer to the root', '00 0162 c00c', 13, 'b', 17],
  ])('follows %s', (_, octets, offset, expected, end) => {
    expect(readName(hex(header + octets), offset)).toEqual({ name: expected, end });
  });

  it.each([
    ['a pointer to itself', 'c00c', 12],
    ['a pointer forward', 'c00e 0161 00', 12],
    ['a pointer to the labels it ends', '0161 c00c', 12],
    ['two pointers in a loop', 'c00e c00c', 14],
    ['a pointer into the header', '0161 c000', 12],
    ['a pointer past the end', '0161 ffff', 12],
    ['half a pointer', '0161 c0', 12],
    ['a label type of RFC 2673', '41 00', 12],
    ['a reserved label type', '81 00', 12],
    ['a label past the end', '05 61', 12],
    ['no root label', '0161', 12],
    ['nothing', '', 12],
    ['an offset past the end', '00', 4000],
  ])('refuses %s', (_, octets, offset) => {
    expect(readName(hex(header + octets), offset)).toBeUndefined();
  });

  it('refuses names over 255 octets, put together by pointers or not', () => {
    const label = `3f${'61'.repeat(63)}`;
    expect(readName(hex(`${label.repeat(4)}00`), 0)).toBeUndefined();
    expect(readName(hex(`${header}${label.repeat(2)}00${label.repeat(2)}c00c`), 12 + 129)).toBeUndefined();
  });

  it('gives up on chains of pointers that no name needs', () => {
    const chain = Array.from({ length: 5000 }, (_, index) => (0xc00d + 2 * Math.max(0, index - 1)).toString(16));
    const wire = hex(`${header}00${chain.join('')}`);
    wire.writeUInt16BE(0xc00c, 13);
    expect(readName(wire, 13 + 2 * 120)?.name).toBe('.');
    expect(readName(wire, 13 + 2 * 4000)).toBeUndefined();
  });

  it('never throws, and what it reads stays within the octets', () => {
    fc.assert(
      fc.property(anyOctets, fc.nat({ max: 60 }), (wire, offset) => {
        const read = readName(wire, offset);
        if (read === undefined) return;
        expect(read.end).toBeLessThanOrEqual(wire.length);
        expect(parseName(read.name)).toBe(read.name);
      }),
    );
  });

  it('agrees with endOfName on every name it reads', () => {
    fc.assert(
      fc.property(fc.oneof(anyOctets, nameWire), fc.nat({ max: 20 }), (wire, offset) => {
        const read = readName(wire, offset);
        if (read !== undefined) expect(endOfName(wire, offset)).toBe(read.end);
      }),
    );
  });
});

describe('a name', () => {
  it('survives wire form, but for its case', () => {
    fc.assert(
      fc.property(nameWire, (wire) => {
        const read = readName(wire, 0);
        expect(read?.end).toBe(wire.length);
        expect(encodeName(name(read?.name ?? ''))).toEqual(lowerCase(wire));
      }),
    );
  });

  it('survives presentation form, with a trailing dot or without', () => {
    fc.assert(
      fc.property(domainName, (canonical) => {
        expect(parseName(canonical)).toBe(canonical);
        if (canonical !== '.') expect(parseName(`${canonical}.`)).toBe(canonical);
        expect(readName(encodeName(canonical), 0)?.name).toBe(canonical);
      }),
    );
  });

  it('is read from any text or refused, without an error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 1100 }), (text) => {
        const parsed = parseName(text);
        if (parsed !== undefined) expect(parseName(parsed)).toBe(parsed);
      }),
    );
  });
});

/** Length octets are below the letters. */
const lowerCase = (wire: Buffer): Buffer =>
  Buffer.from(wire.map((octet) => (octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet)));
