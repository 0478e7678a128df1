import type { AttributeValue, TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { Tombstone } from '../vip/plan.ts';
import type {
  Action,
  BlockAction,
  EntryAction,
  EntryCondition,
  HostAction,
  HostChange,
  SlotChange,
  VipAction,
  WholeBlockChange,
} from './action.ts';
import { ATTRIBUTE, encodeClaim, encodeObject, encodePending, encodeTombstone, encodeVip } from './dynamodb-items.ts';
import { blockItem, counterItem, entryItem, hostItem, type ItemKey, vipItem } from './keys.ts';

/** Collects the parts of one update: what DynamoDB wants as four strings and two maps. */
class Update {
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

export const marshalKey = (key: ItemKey): { pk: AttributeValue; sk: AttributeValue } => ({
  pk: { S: key.pk },
  sk: { S: key.sk },
});

const numeric = (value: number): AttributeValue => ({ N: String(value) });

function requireEntry(update: Update, { resourceVersion, pendingWriteId }: EntryCondition): void {
  const version = update.name('resourceVersion');
  const pending = update.name('pending');
  update.require(
    resourceVersion === undefined
      ? `attribute_not_exists(${version})`
      : `${version} = ${update.value({ S: resourceVersion })}`,
  );
  update.require(
    pendingWriteId === undefined
      ? `attribute_not_exists(${pending})`
      : `${pending}.${update.name('writeId')} = ${update.value({ S: pendingWriteId })}`,
  );
}

function entryTransactItem(action: EntryAction, table: string, writeId: string): TransactWriteItem {
  const key = entryItem(action.namespace, action.name);
  const update = new Update();
  switch (action.kind) {
    case 'put':
      requireEntry(update, action.expect);
      update.set('object', encodeObject(action.entry));
      update.set('resourceVersion', { S: action.entry.metadata.resourceVersion ?? '' }).set('writeId', { S: writeId });
      return update.remove(update.name('pending')).item(table, key);
    case 'begin':
      requireEntry(update, action.expect);
      return update.set('pending', encodePending(action.pending)).item(table, key);
    case 'withdraw':
      requireEntry(update, action.expect);
      return update.remove(update.name('pending')).item(table, key);
    case 'check':
      update.require(`${update.name('pending')}.${update.name('writeId')} = ${update.value({ S: action.writeId })}`);
      return update.check(table, key);
    case 'delete':
      requireEntry(update, action.expect);
      return update.delete(table, key);
  }
}

function requireHost(update: Update, { namespace, condition }: HostChange): void {
  const revision = update.name(ATTRIBUTE.revision(namespace));
  switch (condition.kind) {
    case 'revision':
      update.require(
        condition.revision === 0
          ? `attribute_not_exists(${revision})`
          : `${revision} = ${update.value(numeric(condition.revision))}`,
      );
      return;
    case 'signature':
      update.require(`${update.name(ATTRIBUTE.signature(namespace))} = ${update.value({ S: condition.signature })}`);
      return;
    case 'tombstone': {
      const vip = update.name(ATTRIBUTE.vip(namespace));
      const slot = update.value(numeric(condition.slot));
      const until = update.value(numeric(condition.until));
      update.require(`${vip}.${update.name('slot')} = ${slot} AND ${vip}.${update.name('until')} = ${until}`);
    }
  }
}

function hostTransactItem(action: HostAction, table: string): TransactWriteItem {
  const update = new Update();
  for (const change of action.changes) {
    const { namespace, claim, vip, signature } = change;
    requireHost(update, change);
    update.add(ATTRIBUTE.revision(namespace), numeric(1));
    if (signature !== undefined) update.set(ATTRIBUTE.signature(namespace), { S: signature });
    if (claim?.value) update.set(ATTRIBUTE.claim(claim.entry), encodeClaim(claim.value));
    else if (claim) update.remove(update.name(ATTRIBUTE.claim(claim.entry)));
    if (vip === 'cleared') update.remove(update.name(ATTRIBUTE.vip(namespace)));
    else if (vip) update.set(ATTRIBUTE.vip(namespace), encodeVip(vip));
  }
  return update.item(table, hostItem(action.host));
}

/** Nobody has written the slot's address into an entry. */
const unpinned = (update: Update, slot: number): string =>
  `attribute_not_exists(${update.name(ATTRIBUTE.pinned(slot))})`;

function changeSlot(update: Update, change: SlotChange, released: ReadonlySet<number>, now: number): void {
  const tombstone = ATTRIBUTE.tombstone(change.slot);
  const held = () => `contains(${update.name(ATTRIBUTE.used)}, ${update.value(numeric(change.slot))})`;
  const field = (name: string) => `${update.name(tombstone)}.${update.name(name)}`;
  switch (change.kind) {
    case 'take':
      update.require(
        change.reclaims ? `${field('until')} = ${update.value(numeric(change.reclaims.until))}` : `NOT ${held()}`,
      );
      update.require(unpinned(update, change.slot)).remove(update.name(tombstone));
      return;
    case 'release':
      update.require(`${held()} AND attribute_not_exists(${update.name(tombstone)})`);
      update.set(tombstone, encodeTombstone(change.tombstone));
      return;
    case 'revive':
      update.require(`${field('namespace')} = ${update.value({ S: change.namespace })}`);
      update.require(`${field('host')} = ${update.value({ S: change.host })}`);
      update.require(unpinned(update, change.slot)).remove(update.name(tombstone));
      return;
    case 'pin':
      if (!released.has(change.slot)) {
        update.require(`NOT ${held()} OR ${field('until')} <= ${update.value(numeric(now))}`);
      }
      update.add(ATTRIBUTE.pinned(change.slot), { SS: [change.entry] });
      return;
    case 'unpin':
      update.deleteFrom(ATTRIBUTE.pinned(change.slot), { SS: [change.entry] });
  }
}

function changeWhole(update: Update, change: WholeBlockChange): void {
  if (change.kind === 'unpin') {
    update.deleteFrom(ATTRIBUTE.pinnedWhole, { SS: [change.entry] });
    return;
  }
  const slots = [...change.used];
  const used = update.name(ATTRIBUTE.used);
  update.require(
    slots.length === 0 ? `attribute_not_exists(${used})` : `${used} = ${update.value({ NS: slots.map(String) })}`,
  );
  for (const slot of slots) {
    const until = `${update.name(ATTRIBUTE.tombstone(slot))}.${update.name('until')}`;
    update.require(`${until} <= ${update.value(numeric(change.now))}`);
  }
  update.add(ATTRIBUTE.pinnedWhole, { SS: [change.entry] });
}

function blockTransactItem(action: BlockAction, table: string): TransactWriteItem {
  const update = new Update();
  const released = new Set(action.slots.flatMap((change) => (change.kind === 'release' ? [change.slot] : [])));
  for (const change of action.slots) changeSlot(update, change, released, action.now);
  const taken = action.slots.flatMap((change) => (change.kind === 'take' ? [String(change.slot)] : []));
  if (taken.length > 0) update.add(ATTRIBUTE.used, { NS: taken });
  if (action.slots.some((change) => change.kind === 'take' || change.kind === 'revive')) {
    update.require(`attribute_not_exists(${update.name(ATTRIBUTE.pinnedWhole)})`);
  }
  if (action.whole) changeWhole(update, action.whole);
  return update.item(table, blockItem(action.poolId, action.number));
}

/** Moves the earlier holders one place on, without reading them: `explain` shows the last three. */
function rememberHolder(update: Update, holder: Tombstone): void {
  const none = update.value({ NULL: true });
  update.setExpression('holder3', `if_not_exists(${update.name('holder2')}, ${none})`);
  update.setExpression('holder2', `if_not_exists(${update.name('holder1')}, ${none})`);
  update.set('holder1', encodeTombstone(holder));
}

/** The block guards the slot: the item of the VIP only says who holds it, and who did. */
function vipTransactItem(action: VipAction, table: string): TransactWriteItem {
  const update = new Update();
  if (action.kind === 'release') update.set('until', numeric(action.until));
  if (action.kind === 'revive') update.remove(update.name('until'));
  if (action.kind === 'hold') {
    const { vip, namespace, host, reclaims } = action;
    update.set('ipv4', { S: vip.ipv4 }).set('ipv6', { S: vip.ipv6 });
    update.set('namespace', { S: namespace }).set('host', { S: host }).remove(update.name('until'));
    if (reclaims) rememberHolder(update, reclaims);
  }
  return update.item(table, vipItem(action.poolId, action.slot));
}

function transactItem(action: Action, table: string, writeId: string): TransactWriteItem {
  switch (action.on) {
    case 'entry':
      return entryTransactItem(action, table, writeId);
    case 'host':
      return hostTransactItem(action, table);
    case 'block':
      return blockTransactItem(action, table);
    case 'vip':
      return vipTransactItem(action, table);
  }
}

/** The item that each action is about, in the order of the transaction. */
export function keyOfAction(action: Action): ItemKey {
  switch (action.on) {
    case 'entry':
      return entryItem(action.namespace, action.name);
    case 'host':
      return hostItem(action.host);
    case 'block':
      return blockItem(action.poolId, action.number);
    case 'vip':
      return vipItem(action.poolId, action.slot);
  }
}

/** One transaction: the actions in order, then the change counter of the entry. */
export function transactItems(
  actions: readonly Action[],
  entry: { readonly namespace: string; readonly name: string },
  table: string,
  writeId: string,
): TransactWriteItem[] {
  const counter = new Update().add('commits', numeric(1)).item(table, counterItem(entry.namespace, entry.name));
  return [...actions.map((action) => transactItem(action, table, writeId)), counter];
}
