import type { AttributeValue, TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { ItemKey } from './keys.ts';

export const marshalKey = (key: ItemKey): { pk: AttributeValue; sk: AttributeValue } => ({
  pk: { S: key.pk },
  sk: { S: key.sk },
});

/** Collects the parts of one update: what DynamoDB wants as four strings and two maps. */
export class Update {
  readonly #names = new Map<string, string>();
  readonly #values: AttributeValue[] = [];
  readonly #clauses = { SET: [] as string[], REMOVE: [] as string[], ADD: [] as string[], DELETE: [] as string[] };
  readonly #conditions: string[] = [];

  name(attribute: string): string {
    const known = this.#names.get(attribute);
    if (known) return known;
    const placeholder = `#n${this.#names.size}`;
    this.#names.set(attribute, placeholder);
    return placeholder;
  }

  value(value: AttributeValue): string {
    return `:v${this.#values.push(value) - 1}`;
  }

  set(attribute: string, value: AttributeValue): this {
    this.#clauses.SET.push(`${this.name(attribute)} = ${this.value(value)}`);
    return this;
  }

  setExpression(attribute: string, expression: string): this {
    this.#clauses.SET.push(`${this.name(attribute)} = ${expression}`);
    return this;
  }

  remove(path: string): this {
    this.#clauses.REMOVE.push(path);
    return this;
  }

  add(attribute: string, value: AttributeValue): this {
    this.#clauses.ADD.push(`${this.name(attribute)} ${this.value(value)}`);
    return this;
  }

  deleteFrom(attribute: string, value: AttributeValue): this {
    this.#clauses.DELETE.push(`${this.name(attribute)} ${this.value(value)}`);
    return this;
  }

  require(condition: string): this {
    this.#conditions.push(`(${condition})`);
    return this;
  }

  /** What every kind of action has: the item, and the conditions on it. */
  #guarded(table: string, key: ItemKey) {
    const values = this.#values.map((value, index) => [`:v${index}`, value]);
    const names = [...this.#names].map(([name, placeholder]) => [placeholder, name]);
    return {
      TableName: table,
      Key: marshalKey(key),
      ...(this.#conditions.length > 0 ? { ConditionExpression: this.#conditions.join(' AND ') } : {}),
      ...(names.length > 0 ? { ExpressionAttributeNames: Object.fromEntries(names) } : {}),
      ...(values.length > 0 ? { ExpressionAttributeValues: Object.fromEntries(values) } : {}),
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
    };
  }

  item(table: string, key: ItemKey): TransactWriteItem {
    const clauses = Object.entries(this.#clauses);
    const parts = clauses.flatMap(([verb, terms]) => (terms.length > 0 ? [`${verb} ${terms.join(', ')}`] : []));
    return { Update: { ...this.#guarded(table, key), UpdateExpression: parts.join(' ') } };
  }

  delete(table: string, key: ItemKey): TransactWriteItem {
    return { Delete: this.#guarded(table, key) };
  }

  check(table: string, key: ItemKey): TransactWriteItem {
    return { ConditionCheck: { ConditionExpression: '', ...this.#guarded(table, key) } };
  }
}
