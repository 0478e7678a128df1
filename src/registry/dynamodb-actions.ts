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
import { Update } from './dynamodb-update.ts';
import { blockItem, counterItem, entryItem, hostItem, type ItemKey, vipItem } from './keys.ts';

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

/** Revisions count from 1: an item, or a namespace, that has none has never been changed. */
function requireRevision(update: Update, attribute: string, revision: number): void {
  const name = update.name(attribute);
  update.require(revision === 0 ? `attribute_not_exists(${name})` : `${name} = ${update.value(numeric(revision))}`);
}

function requireHost(update: Update, { namespace, condition }: HostChange): void {
  switch (condition.kind) {
    case 'revision':
      requireRevision(update, ATTRIBUTE.revision(namespace), condition.revision);
      return;
    case 'signature':
      update.require(`${update.name(ATTRIBUTE.signature(namespace))} = ${update.value({ S: condition.signature })}`);
      return;
    case 'pointer': {
      const vip = update.name(ATTRIBUTE.vip(namespace));
      update.require(`${vip}.${update.name('pool')} = ${update.value({ S: condition.poolId })}`);
      update.require(`${vip}.${update.name('slot')} = ${update.value(numeric(condition.slot))}`);
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
  return update.add(ATTRIBUTE.writes, numeric(1)).item(table, hostItem(action.host));
}

/** The slot is still free, and nobody has written its address into an entry. */
function requireSlot(update: Update, change: SlotChange): void {
  if (change.kind !== 'take' && change.kind !== 'revive') return;
  if (change.kind === 'take' && change.reclaims) {
    const until = `${update.name(ATTRIBUTE.tombstone(change.slot))}.${update.name('until')}`;
    update.require(`${until} = ${update.value(numeric(change.reclaims.until))}`);
  } else if (change.kind === 'take') {
    update.require(`NOT contains(${update.name(ATTRIBUTE.used)}, ${update.value(numeric(change.slot))})`);
  }
  update.require(`attribute_not_exists(${update.name(ATTRIBUTE.pinned(change.slot))})`);
}

function changeSlot(update: Update, change: SlotChange): void {
  switch (change.kind) {
    case 'take':
    case 'revive':
      update.remove(update.name(ATTRIBUTE.tombstone(change.slot)));
      return;
    case 'release':
      update.set(ATTRIBUTE.tombstone(change.slot), encodeTombstone(change.tombstone));
      return;
    case 'pin':
      update.add(ATTRIBUTE.pinned(change.slot), { SS: [change.entry] });
      return;
    case 'unpin':
      update.deleteFrom(ATTRIBUTE.pinned(change.slot), { SS: [change.entry] });
  }
}

function changeWhole(update: Update, { kind, entry }: WholeBlockChange): void {
  if (kind === 'pin') update.add(ATTRIBUTE.pinnedWhole, { SS: [entry] });
  else update.deleteFrom(ATTRIBUTE.pinnedWhole, { SS: [entry] });
}

function requireBlock(update: Update, { slots, revision }: BlockAction): void {
  if (revision !== undefined) {
    requireRevision(update, ATTRIBUTE.blockRevision, revision);
    return;
  }
  for (const change of slots) requireSlot(update, change);
  if (slots.some((change) => change.kind === 'take' || change.kind === 'revive')) {
    update.require(`attribute_not_exists(${update.name(ATTRIBUTE.pinnedWhole)})`);
  }
}

function blockTransactItem(action: BlockAction, table: string): TransactWriteItem {
  const update = new Update();
  requireBlock(update, action);
  for (const change of action.slots) changeSlot(update, change);
  if (action.whole) changeWhole(update, action.whole);
  const taken = action.slots.flatMap((change) => (change.kind === 'take' ? [String(change.slot)] : []));
  if (taken.length > 0) update.add(ATTRIBUTE.used, { NS: taken });
  return update.add(ATTRIBUTE.blockRevision, numeric(1)).item(table, blockItem(action.poolId, action.number));
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
