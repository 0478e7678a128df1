import { type AttributeValue, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { type Item, keyOf, openThings, put, rejectionOf, TableName } from './things.ts';

const S = (text: string): AttributeValue => ({ S: text });
const N = (number: number | string): AttributeValue => ({ N: String(number) });
const NS = (...numbers: number[]): AttributeValue => ({ NS: numbers.map(String) });
const SS = (...texts: string[]): AttributeValue => ({ SS: texts });
const M = (map: Item): AttributeValue => ({ M: map });

interface Case {
  readonly title: string;
  /** Absent: the item does not exist. */
  readonly item?: Item;
  readonly update?: string;
  readonly condition?: string;
  readonly names?: Record<string, string>;
  readonly values?: Item;
  /** The attributes afterwards, without the key; or the exception's name. */
  readonly expected: Item | string;
}

async function outcomeOf({ item, update, condition, names, values }: Case): Promise<Item | string> {
  const { client } = await openThings();
  if (item) await put(client, { ...keyOf('a'), ...item });
  const command = new UpdateItemCommand({
    TableName,
    Key: keyOf('a'),
    UpdateExpression: update ?? 'SET done = :done',
    ConditionExpression: condition,
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: update ? values : { ...values, ':done': { BOOL: true } },
    ReturnValues: 'ALL_NEW',
  });
  const outcome = client.send(command);
  try {
    const { pk: _pk, sk: _sk, ...attributes } = (await outcome).Attributes ?? {};
    return attributes;
  } catch {
    return (await rejectionOf(outcome)).name;
  }
}

function checkAll(cases: readonly Case[]): void {
  for (const one of cases) {
    it(one.title, async () => expect(await outcomeOf(one)).toEqual(one.expected));
  }
}

const done = { done: { BOOL: true } };
const failed = 'ConditionalCheckFailedException';
const invalid = 'ValidationException';

describe('conditions', () => {
  const free = { condition: 'NOT contains(#used, :n)', names: { '#used': 'used' } };
  const elapsed = { condition: '#m.#k <= :now', names: { '#m': 'until', '#k': '7' }, values: { ':now': N(100) } };
  const absent = { condition: 'attribute_not_exists(#a)' };
  checkAll([
    { title: 'a missing item contains nothing', ...free, values: { ':n': N(5) }, expected: done },
    { title: 'a missing attribute contains nothing', ...free, item: {}, values: { ':n': N(5) }, expected: done },
    {
      title: 'a number set contains its members',
      ...free,
      item: { used: NS(4, 5) },
      values: { ':n': N(5) },
      expected: failed,
    },
    {
      title: 'a number set does not contain other numbers',
      ...free,
      item: { used: NS(50, 15) },
      values: { ':n': N(5) },
      expected: { used: NS(50, 15), ...done },
    },
    {
      title: 'numbers in sets are equal by value, not by text',
      ...free,
      item: { used: { NS: ['5.00'] } },
      values: { ':n': N('5e0') },
      expected: failed,
    },
    {
      title: 'a string set contains its members',
      ...free,
      item: { used: SS('a/b') },
      values: { ':n': S('a/b') },
      expected: failed,
    },
    { title: 'a comparison is false on a missing item', ...elapsed, expected: failed },
    { title: 'a comparison is false on a missing map', ...elapsed, item: { other: N(1) }, expected: failed },
    { title: 'a comparison is false on a missing key of a map', ...elapsed, item: { until: M({}) }, expected: failed },
    {
      title: 'a comparison is false under an attribute that is no map',
      ...elapsed,
      item: { until: S('x') },
      expected: failed,
    },
    {
      title: 'a comparison is false between types',
      ...elapsed,
      item: { until: M({ 7: S('1') }) },
      expected: failed,
    },
    {
      title: 'a map value is compared as a number',
      ...elapsed,
      item: { until: M({ 7: N(99) }) },
      expected: { until: M({ 7: N(99) }), ...done },
    },
    {
      title: 'a map value above the bound fails',
      ...elapsed,
      item: { until: M({ 7: N(101) }) },
      expected: failed,
    },
    {
      title: 'a negated comparison is true on a missing path',
      condition: 'NOT #m.#k <= :now',
      names: { '#m': 'until', '#k': '7' },
      values: { ':now': N(1) },
      expected: done,
    },
    {
      title: 'parts combine with AND, OR and parentheses',
      condition: '(attribute_not_exists(a) OR a = :a) AND attribute_exists(b)',
      item: { a: S('1'), b: S('2') },
      values: { ':a': S('1') },
      expected: { a: S('1'), b: S('2'), ...done },
    },
    { title: 'an undefined placeholder is refused', condition: '#x = :y', expected: invalid },
    { title: 'nonsense is refused', condition: '(((', expected: invalid },
  ]);

  const oddNames = ['default/web', 'a.b', 'a[0]', '#x', ':x', 'ÿ é ☂', ' ', '"', '\\', '~', '\u0000', 'constructor'];
  for (const name of [...oddNames, 'toString', 'hasOwnProperty']) {
    const label = JSON.stringify(name);
    checkAll([
      { title: `attribute ${label} is absent until it is written`, ...absent, names: { '#a': name }, expected: done },
      {
        title: `attribute ${label} is absent from an item without it`,
        ...absent,
        item: { other: S('1') },
        names: { '#a': name },
        expected: { other: S('1'), ...done },
      },
      {
        title: `attribute ${label} exists once written`,
        ...absent,
        item: { [name]: M({}) },
        names: { '#a': name },
        expected: failed,
      },
      {
        title: `attribute ${label} of a missing item can be counted up`,
        update: 'ADD #a :one SET b = if_not_exists(#a, :one)',
        names: { '#a': name },
        values: { ':one': N(1) },
        expected: { [name]: N(1), b: N(1) },
      },
      {
        title: `attribute ${label} can be counted up from nothing`,
        update: 'ADD #a :one, m.#a :one',
        item: { m: M({}) },
        names: { '#a': name },
        values: { ':one': N(1) },
        expected: { [name]: N(1), m: M({ [name]: N(1) }) },
      },
    ]);
  }
});

describe('updates', () => {
  checkAll([
    { title: 'ADD creates a number', update: 'ADD n :one', values: { ':one': N(1) }, expected: { n: N(1) } },
    {
      title: 'ADD counts on',
      update: 'ADD n :one',
      item: { n: N(41) },
      values: { ':one': N(1) },
      expected: { n: N(42) },
    },
    { title: 'ADD creates a number set', update: 'ADD s :s', values: { ':s': NS(1, 2) }, expected: { s: NS(1, 2) } },
    {
      title: 'ADD unites number sets',
      update: 'ADD s :s',
      item: { s: NS(1, 2) },
      values: { ':s': NS(2, 3) },
      expected: { s: NS(1, 2, 3) },
    },
    {
      title: 'ADD unites string sets',
      update: 'ADD s :s',
      item: { s: SS('a') },
      values: { ':s': SS('b') },
      expected: { s: SS('a', 'b') },
    },
    {
      title: 'ADD of another type is refused',
      update: 'ADD s :s',
      item: { s: NS(1) },
      values: { ':s': SS('b') },
      expected: invalid,
    },
    { title: 'DELETE on a missing item creates it', update: 'DELETE s :s', values: { ':s': NS(1) }, expected: {} },
    {
      title: 'DELETE takes members away',
      update: 'DELETE s :s',
      item: { s: NS(1, 2) },
      values: { ':s': NS(2, 3) },
      expected: { s: NS(1) },
    },
    {
      title: 'DELETE of the last member removes the set',
      update: 'DELETE s :s',
      item: { s: SS('a') },
      values: { ':s': SS('a') },
      expected: {},
    },
    {
      title: 'SET, REMOVE, ADD and DELETE go together',
      update: 'SET #claim = :map REMOVE obsolete ADD n :one, fresh :set DELETE s :set',
      item: { obsolete: S('x'), s: SS('a', 'b') },
      names: { '#claim': 'default/web' },
      values: { ':map': M({ ports: { L: [M({ number: N(80) })] } }), ':one': N(1), ':set': SS('a') },
      expected: {
        'default/web': M({ ports: { L: [M({ number: N(80) })] } }),
        n: N(1),
        fresh: SS('a'),
        s: SS('b'),
      },
    },
    {
      title: 'REMOVE of a missing attribute is fine',
      update: 'REMOVE a',
      item: { b: S('1') },
      expected: { b: S('1') },
    },
    {
      title: 'SET below a missing map is refused',
      update: 'SET m.k = :v',
      values: { ':v': N(1) },
      expected: invalid,
    },
    {
      title: 'if_not_exists takes the value only once',
      update: 'SET a = if_not_exists(a, :v), b = if_not_exists(b, :v)',
      item: { a: N(1) },
      values: { ':v': N(2) },
      expected: { a: N(1), b: N(2) },
    },
    {
      title: 'binary values keep every octet',
      update: 'SET b = :b',
      values: { ':b': { B: Uint8Array.from({ length: 256 }, (_, i) => i) } },
      expected: { b: { B: Uint8Array.from({ length: 256 }, (_, i) => i) } },
    },
    {
      title: 'the key cannot be changed',
      update: 'SET sk = :v',
      values: { ':v': S('y') },
      expected: invalid,
    },
    {
      title: 'an item over 400 KB is refused',
      update: 'SET b = :b',
      values: { ':b': { B: new Uint8Array(410_000) } },
      expected: invalid,
    },
    {
      title: 'the attribute name __proto__ is refused rather than lost',
      update: 'SET #a = :v',
      names: { '#a': '__proto__' },
      values: { ':v': N(1) },
      expected: invalid,
    },
  ]);
});
