import { describe, expect, it } from 'vitest';
import { readLabelSelector } from '../../../src/http/kubernetes/label-selector.ts';

const LABELS = { app: 'web', tier: 'front', empty: '', 'example.org/team': 'a' };

describe('a label selector', () => {
  it.each<[string, boolean]>([
    ['', true],
    ['  ', true],
    ['app', true],
    ['absent', false],
    ['!absent', true],
    ['! absent', true],
    ['!app', false],
    ['app=web', true],
    ['app==web', true],
    [' app = web ', true],
    ['app=api', false],
    ['app!=api', true],
    ['app!=web', false],
    ['absent!=web', true],
    ['app in (web)', true],
    ['app in (api, web)', true],
    ['app in(api,web),tier', true],
    ['app in (api)', false],
    ['absent in (api)', false],
    ['app notin (api)', true],
    ['app notin (api,web)', false],
    ['absent notin (api)', true],
    ['empty=', true],
    ['app=', false],
    ['empty=,app=web', true],
    ['empty in ()', true],
    ['empty in (,x)', true],
    ['example.org/team=a', true],
    ['app=web,tier=front,!absent', true],
    ['app=web,tier=back', false],
    ['toString', false],
  ])('%j selects: %s', (text, matches) => {
    const reading = readLabelSelector(text);
    expect(reading.ok && reading.matches(LABELS)).toBe(matches);
  });

  it.each<[string, RegExp]>([
    ['=web', /found '=', expected: a label key/],
    ['app=web,', /found '', expected: a label key/],
    [',app', /found ',', expected: a label key/],
    ['!', /expected: a label key/],
    ['app in web', /found 'web', expected: '\('/],
    ['app in (web', /found '', expected: ',' or '\)'/],
    ['app within (web)', /found 'within', expected: in, notin, =, ==, !=/],
    ['app>1', /a key must be/],
    ['app=web web', /found 'web', expected: ',' or the end/],
    ['app=web)', /found '\)'/],
    ['a/b/c', /at most one slash/],
    ['app=-web', /a label value must be/],
    ['-app', /a key must be/],
    ['app=(web)', /found '\('/],
  ])('%j is refused', (text, problem) => {
    const reading = readLabelSelector(text);
    expect(reading.ok ? undefined : reading.problem).toMatch(problem);
  });
});
