import type { AttributeValue, TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { Item } from './dynamodb-items.ts';
import { marshalKey } from './dynamodb-update.ts';
import type { ItemKey } from './keys.ts';

/** Attributes as they shall be; undefined takes one away. */
export type Changes = Readonly<Record<string, AttributeValue | undefined>>;

/** Fields of the maps in the table that are there or not. */
const OPTIONAL_FIELDS = ['until', 'object'];

/** Gathers the placeholders of one expression. */
class Placeholders {
  readonly names: Record<string, string> = {};
  readonly values: Record<string, AttributeValue> = {};

  name(attribute: string): string {
    const known = Object.keys(this.names).find((placeholder) => this.names[placeholder] === attribute);
    if (known) return known;
    const placeholder = `#n${Object.keys(this.names).length}`;
    this.names[placeholder] = attribute;
    return placeholder;
  }

  value(value: AttributeValue): string {
    const placeholder = `:v${Object.keys(this.values).length}`;
    this.values[placeholder] = value;
    return placeholder;
  }

  /** Expressions have no use for empty maps, and the store refuses them. */
  get attributes() {
    return {
      ...(Object.keys(this.names).length > 0 ? { ExpressionAttributeNames: this.names } : {}),
      ...(Object.keys(this.values).length > 0 ? { ExpressionAttributeValues: this.values } : {}),
    };
  }
}

/** That the attribute is what it was. Maps are compared field by field: their lists are not looked at. */
function same(path: string, before: AttributeValue | undefined, at: Placeholders): string[] {
  if (before === undefined) return [`attribute_not_exists(${path})`];
  if (before.L) return [];
  if (!before.M) return [`${path} = ${at.value(before)}`];
  const fields = Object.keys(before.M).concat(OPTIONAL_FIELDS.filter((field) => !before.M?.[field]));
  return fields.flatMap((field) => same(`${path}.${at.name(field)}`, before.M?.[field], at));
}

const allSame = (before: Item | null, attributes: Iterable<string>, at: Placeholders): string[] =>
  [...attributes].flatMap((attribute) => same(at.name(attribute), before?.[attribute], at));

/** A condition without a write: these attributes are still what was read. */
export function unchanged(
  table: string,
  key: ItemKey,
  before: Item | null,
  attributes: readonly string[],
): TransactWriteItem {
  const at = new Placeholders();
  const condition = allSame(before, attributes, at).join(' AND ');
  return {
    ConditionCheck: { TableName: table, Key: marshalKey(key), ConditionExpression: condition, ...at.attributes },
  };
}

interface Additions {
  /** Shall be in a number set, where it still is, or still is not. */
  readonly member?: { readonly set: string; readonly number: number };
  /** Moves with the change, whatever it was. */
  readonly counter?: string;
}

function addClauses({ member, counter }: Additions, before: Item | null, at: Placeholders) {
  const counting = counter === undefined ? [] : [`${at.name(counter)} ${at.value({ N: '1' })}`];
  if (!member) return { conditions: [], add: counting };
  const [name, text] = [at.name(member.set), String(member.number)];
  const held = `contains(${name}, ${at.value({ N: text })})`;
  if (before?.[member.set]?.NS?.includes(text)) return { conditions: [held], add: counting };
  return { conditions: [`NOT ${held}`], add: [...counting, `${name} ${at.value({ NS: [text] })}`] };
}

/** Changes attributes that are still what was read. */
export function amend(
  table: string,
  key: ItemKey,
  before: Item | null,
  changes: Changes,
  additions: Additions = {},
): TransactWriteItem {
  const at = new Placeholders();
  const { conditions, add } = addClauses(additions, before, at);
  const same = allSame(before, Object.keys(changes), at);
  const set = Object.entries(changes).flatMap(([name, value]) =>
    value ? `${at.name(name)} = ${at.value(value)}` : [],
  );
  const remove = Object.entries(changes).flatMap(([name, value]) => (value ? [] : at.name(name)));
  const clauses = Object.entries({ SET: set, REMOVE: remove, ADD: add });
  return {
    Update: {
      TableName: table,
      Key: marshalKey(key),
      UpdateExpression: clauses
        .flatMap(([verb, terms]) => (terms.length > 0 ? `${verb} ${terms.join(', ')}` : []))
        .join(' '),
      ConditionExpression: [...same, ...conditions].join(' AND '),
      ...at.attributes,
    },
  };
}

/** Deletes an item that still has exactly these attributes as they were read. */
export function deleteUnchanged(table: string, key: ItemKey, before: Item): TransactWriteItem {
  const at = new Placeholders();
  const attributes = Object.keys(before).filter((name) => name !== 'pk' && name !== 'sk');
  const condition = allSame(before, attributes, at).join(' AND ');
  return { Delete: { TableName: table, Key: marshalKey(key), ConditionExpression: condition, ...at.attributes } };
}
