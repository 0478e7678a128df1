import { describe, expect, it } from 'vitest';
import { jsonPatch } from '../../../src/http/kubernetes/json-patch.ts';

const document = () => ({ spec: { hosts: ['a', 'b'], labels: { 'x/y': '1', 'm~n': '2' } } });

describe('a JSON patch', () => {
  it.each<[string, object, object]>([
    ['adds a member', { op: 'add', path: '/spec/new', value: 1 }, { hosts: ['a', 'b'], new: 1 }],
    ['inserts an item', { op: 'add', path: '/spec/hosts/1', value: 'c' }, { hosts: ['a', 'c', 'b'] }],
    ['appends an item', { op: 'add', path: '/spec/hosts/-', value: 'c' }, { hosts: ['a', 'b', 'c'] }],
    ['removes an item', { op: 'remove', path: '/spec/hosts/0' }, { hosts: ['b'] }],
    ['replaces an item', { op: 'replace', path: '/spec/hosts/1', value: 'c' }, { hosts: ['a', 'c'] }],
    ['moves', { op: 'move', from: '/spec/hosts', path: '/spec/names' }, { names: ['a', 'b'] }],
    ['copies', { op: 'copy', from: '/spec/hosts/0', path: '/spec/first' }, { hosts: ['a', 'b'], first: 'a' }],
    ['ignores what its operation does not define', { op: 'add', path: '/spec/new', from: ' ', value: 1 }, { new: 1 }],
    ['tests', { op: 'test', path: '/spec/hosts', value: ['a', 'b'] }, { hosts: ['a', 'b'] }],
    ['reads ~1', { op: 'replace', path: '/spec/labels/x~1y', value: '3' }, { labels: { 'x/y': '3', 'm~n': '2' } }],
    ['reads ~0', { op: 'replace', path: '/spec/labels/m~0n', value: '3' }, { labels: { 'x/y': '1', 'm~n': '3' } }],
  ])('%s', (_, operation, spec) => {
    expect(jsonPatch(document(), [operation])).toMatchObject({ kind: 'patched', value: { spec } });
  });

  it.each<[string, object]>([
    ['removes what is not there', { op: 'remove', path: '/spec/none' }],
    ['replaces what is not there', { op: 'replace', path: '/spec/none', value: 1 }],
    ['adds below what is not there', { op: 'add', path: '/none/a', value: 1 }],
    ['goes past the end of a list', { op: 'add', path: '/spec/hosts/5', value: 'c' }],
    ['names an item by a word', { op: 'remove', path: '/spec/hosts/push' }],
    ['replaces the item after the last', { op: 'replace', path: '/spec/hosts/-', value: 'c' }],
    ['moves something into itself', { op: 'move', from: '/spec', path: '/spec/spec' }],
    ['fails its test', { op: 'test', path: '/spec/hosts', value: ['a'] }],
    ['replaces the whole', { op: 'replace', path: '', value: {} }],
    ['reaches for the prototype', { op: 'add', path: '/spec/__proto__', value: { polluted: true } }],
    ['reaches for what is inherited', { op: 'add', path: '/spec/toString/polluted', value: true }],
    ['reaches through a text', { op: 'add', path: '/spec/hosts/0/length', value: 1 }],
    ['reaches through nothing', { op: 'add', path: '/none/toString/polluted', value: true }],
    ['copies what is inherited', { op: 'copy', from: '/spec/toString', path: '/spec/x' }],
  ])('is refused when it %s', (_, operation) => {
    expect(jsonPatch(document(), [operation]).kind).toBe('refused');
    expect((Object.prototype.toString as unknown as Record<string, unknown>).polluted).toBeUndefined();
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['an object', { op: 'add' }],
    ['a list of something else', ['add']],
    ['an unknown operation', [{ op: 'increment', path: '/spec' }]],
    ['an inherited operation', [{ op: 'toString', path: '/spec' }]],
    ['an operation without a path', [{ op: 'remove' }]],
    ['a path that is no pointer', [{ op: 'remove', path: 'spec' }]],
    ['an add without a value', [{ op: 'add', path: '/spec/x' }]],
    ['a copy from nowhere', [{ op: 'copy', path: '/spec/x' }]],
    ['more operations than anybody writes', Array(1001).fill({ op: 'test', path: '/spec', value: {} })],
  ])('is none when it is %s', (_, patch) => {
    expect(jsonPatch(document(), patch).kind).toBe('malformed');
  });

  it('may not copy without a bound', () => {
    const doubling = Array.from({ length: 64 }, (_, at) => ({ op: 'copy', from: '/spec', path: `/spec/x${at}` }));
    const result = jsonPatch(document(), doubling);
    expect(result).toEqual({ kind: 'refused', problem: 'it copies more than any entry can hold' });
  });
});
