import { describe, expect, it } from 'vitest';
import { readFieldSelector } from '../../../src/http/kubernetes/field-selector.ts';

const METADATA = { name: 'auto', namespace: 'default' };

describe('a field selector', () => {
  it.each<[string, boolean, string | undefined]>([
    ['', true, undefined],
    ['metadata.name=auto', true, 'auto'],
    ['metadata.name==auto', true, 'auto'],
    ['metadata.name=other', false, 'other'],
    ['metadata.name!=other', true, undefined],
    ['metadata.name!=auto', false, undefined],
    ['metadata.namespace=default', true, undefined],
    ['metadata.namespace=team', false, undefined],
    ['metadata.name=auto,metadata.namespace=default', true, 'auto'],
    ['metadata.name=auto,metadata.name=other', false, 'auto'],
    ['metadata.name=', false, ''],
  ])('%j selects: %s, by the name %s', (text, matches, name) => {
    const reading = readFieldSelector(text);
    expect(reading.ok && reading.matches(METADATA)).toBe(matches);
    expect(reading.name).toBe(name);
  });

  it.each([
    ['spec.hosts=a', 'field label not supported: spec.hosts'],
    ['toString=a', 'field label not supported: toString'],
    ['metadata.name', "invalid selector: 'metadata.name'; can't understand 'metadata.name'"],
  ])('%j is refused', (text, problem) => {
    expect(readFieldSelector(text)).toEqual({ ok: false, problem });
  });
});
