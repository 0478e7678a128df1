import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../src/serviceentry/manifest.ts';

const valuesOf = (text: string): unknown[] => parseManifest(text, 'm.yaml').documents.map(({ value }) => value);

const messagesOf = (text: string): string[] => parseManifest(text, 'm.yaml').errors.map(({ message }) => message);

describe('the objects of a manifest', () => {
  it.each<[string, string, unknown[]]>([
    ['one YAML document', 'a: 1\nb: [x]\n', [{ a: 1, b: ['x'] }]],
    ['JSON', '{\n\t"a": 1,\n\t"b": "\\ud83d\\ude00\\/"\n}', [{ a: 1, b: '😀/' }]],
    ['a long JSON key', `{"${'k'.repeat(2000)}": 1}`, [{ ['k'.repeat(2000)]: 1 }]],
    ['several documents', 'a: 1\n---\nb: 2\n--- \n{"c": 3}\n', [{ a: 1 }, { b: 2 }, { c: 3 }]],
    ['Windows line ends', 'a: 1\r\n---\r\nb: 2\r\n', [{ a: 1 }, { b: 2 }]],
    ['a byte order mark', '\ufeffa: 1', [{ a: 1 }]],
    ['a document end mark', 'a: 1\n...\nb: 2\n', [{ a: 1 }, { b: 2 }]],
    ['a directive', '%YAML 1.2\n---\na: 1\n', [{ a: 1 }]],
    ['dashes inside a block', 'a: |\n  ---\n  x\n---\nb: 1', [{ a: '---\nx\n' }, { b: 1 }]],
    ['a line that only begins with dashes', '----: 1', [{ '----': 1 }]],
    ['nothing', '', []],
    ['empty documents and comments', '---\n# only a remark\n---\n---\nnull\n---\na: 1\n---\n', [{ a: 1 }]],
    ['merge keys', 'a: &x {c: 1}\nb:\n  <<: *x\n  d: 2', [{ a: { c: 1 }, b: { c: 1, d: 2 } }]],
    ['keys that look like numbers or booleans', '8080: a\ntrue: b', [{ 8080: 'a', true: 'b' }]],
    ['words that YAML 1.1 took for booleans', 'a: yes\nb: off\nc: true', [{ a: 'yes', b: 'off', c: true }]],
    ['time stamps, as text', 'a: 2026-01-02T03:04:05Z', [{ a: '2026-01-02T03:04:05Z' }]],
    ['a scalar, for the validator to reject', 'hello', ['hello']],
    ['a List', 'kind: List\nitems:\n- a: 1\n- b: 2', [{ a: 1 }, { b: 2 }]],
    ['an empty List', '{"kind": "List", "items": []}\n---\nkind: List\nitems:\n', []],
    ['a List of Lists', 'kind: List\nitems:\n- kind: List\n  items: [{a: 1}]\n- b: 2', [{ a: 1 }, { b: 2 }]],
    ['a List whose items are none', 'kind: List\nitems: 5', [{ kind: 'List', items: 5 }]],
    [
      'a ServiceEntryList, whose items may leave their kind to it',
      'kind: ServiceEntryList\napiVersion: networking.istio.io/v1\nitems:\n- a: 1\n- kind: Pod',
      [{ apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry', a: 1 }, { kind: 'Pod' }],
    ],
  ])('%s', (_, text, values) => {
    expect(parseManifest(text, 'm.yaml').errors).toEqual([]);
    expect(valuesOf(text)).toEqual(values);
  });

  it('know where they come from', () => {
    const text = '# head\n---\na: 1\n---\nkind: List\nitems:\n- b: 1\n\n- c: 1\n---\n\nd: 1\n';
    expect(parseManifest(text, 'm.yaml').documents.map(({ source, index, line }) => [source, index, line])).toEqual([
      ['m.yaml', 1, 3],
      ['m.yaml', 2, 7],
      ['m.yaml', 3, 9],
      ['m.yaml', 4, 12],
    ]);
  });
});

describe('a document that cannot be read', () => {
  it.each([
    ['an open list', 'a: [1,', /^m\.yaml:1:\d+: .*\]/],
    ['an open string', 'x: 1\n---\na: "b\n', /^m\.yaml:3:\d+: .*quote/],
    ['a duplicate key', 'a: 1\n---\nb: 1\nc: 2\nb: 3', /^m\.yaml:5:1: Map keys must be unique/],
    ['a duplicate JSON key', '{"a": 1, "a": 2}', /^m\.yaml:1:10: Map keys must be unique/],
    ['a duplicate key by way of an alias', 'a: &k b\nb: 1\n*k : 2', /^m\.yaml:3:1: .*keys must be/],
    ['a tab as indent', 'a:\n\t- b', /^m\.yaml:2:\d+: .*[Tt]ab/],
    ['a key that is a list', '? [a]\n: b', /^m\.yaml:1:\d+: .*keys must be strings/],
    ['an unknown tag', 'a: !!js/function x', /^m\.yaml:1:4: Unresolved tag/],
    ['an alias without anchor', 'a: *b', /^m\.yaml:1:1: Unresolved alias/],
    ['an anchor of another document', 'a: &b 1\n---\nc: *b', /^m\.yaml:3:1: Unresolved alias/],
  ])('is reported with its place: %s', (_, text, message) => {
    expect(messagesOf(text)).toEqual([expect.stringMatching(message)]);
  });

  it('carries its place as data too', () => {
    expect(parseManifest('a: 1\na: 2', '-').errors).toEqual([
      { source: '-', line: 2, column: 1, message: '-:2:1: Map keys must be unique' },
    ]);
  });

  it('does not hide the others', () => {
    const text = 'a: 1\n---\nb: [\n---\nc: "x\n---\nd: 4\n';
    expect(valuesOf(text)).toEqual([{ a: 1 }, { d: 4 }]);
    expect(messagesOf(text).map((message) => message.split(':')[1])).toEqual(['3', '5']);
  });
});

describe('a hostile manifest', () => {
  const bomb = Array.from({ length: 8 }, (_, i) => `k${i + 1}: &k${i + 1} [${Array(9).fill(`*k${i}`).join(', ')}]`);

  it.each([
    ['a bomb of aliases', `k0: &k0 [x]\n${bomb.join('\n')}`, /alias count/],
    ['a list within itself', '&a [*a, *a, *a]', /levels deep/],
    ['an object within itself', 'a: &a\n  b: *a\n  c: *a', /levels deep/],
    ['a deep flow list', '['.repeat(20_000), /levels deep/],
    ['a deep flow list, well closed', '['.repeat(65) + ']'.repeat(65), /levels deep/],
    ['a deep block list', '- '.repeat(20_000), /levels deep/],
    ['deep objects', '{a: '.repeat(20_000), /levels deep/],
    ['deep keys', '? '.repeat(1000), /keys must be strings/],
  ])('gets an error: %s', (_, text, message) => {
    expect(messagesOf(text)).toEqual([expect.stringMatching(message)]);
    expect(valuesOf(`${text}\n---\na: 1\n`)).toEqual([{ a: 1 }]);
  });

  it('may be as deep as 64 levels', () => {
    expect(messagesOf('['.repeat(64) + ']'.repeat(64))).toEqual([]);
  });

  it('of very many keys is read in good time', () => {
    const keys = Array.from({ length: 100_000 }, (_, i) => `k${i}: 1`).join('\n');
    expect(valuesOf(keys).length).toBe(1);
    expect(messagesOf(`${keys}\nk0: 2`)).toEqual(['m.yaml:100001:1: Map keys must be unique']);
  });

  it('never throws', () => {
    const piece = fc.constantFrom(
      'a',
      ': ',
      '- ',
      '\n',
      '\n---\n',
      ' ',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '&x ',
      '*x',
      '!t ',
      '|',
      '? ',
      '%Y',
      '#',
      ',',
      '\t',
      'kind: List\nitems:\n',
      '...\n',
      '<<: ',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(text, (manifest) => {
        const { documents, errors } = parseManifest(manifest, 'm.yaml');
        expect(documents.every(({ line }) => line >= 1) && errors.every(({ line }) => line >= 1)).toBe(true);
        expect(() => JSON.stringify(documents)).not.toThrow();
      }),
      { numRuns: 3000 },
    );
  });
});
