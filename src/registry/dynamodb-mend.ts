import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { addressesOfSlot, blockOfSlot } from '../vip/pool.ts';
import { amend, type Changes, deleteUnchanged, unchanged } from './dynamodb-amend.ts';
import type { ExaminedItems } from './dynamodb-examined.ts';
import { ATTRIBUTE, encodeTombstone, encodeVip, type Item } from './dynamodb-items.ts';
import { RETIRE_AFTER_MS } from './dynamodb-retirement.ts';
import type { FsckContext, Mend, SlotHolder } from './fsck.ts';
import { itemOfEntry } from './fsck-entry.ts';
import { blockItem, counterItem, hostItem, type ItemKey, vipItem } from './keys.ts';
import { type HeldVip, type HostState, NO_HOST, NO_NAMESPACE, signatureOf } from './state.ts';

/** Those that one conditional transaction does. */
export type DirectMend = Exclude<Mend, { kind: 'reapply' | 'makeFindable' }>;

type Settle = Extract<Mend, { kind: 'settle' }>;
type ClearPointer = Extract<Mend, { kind: 'clearPointer' }>;

interface Place {
  readonly table: string;
  readonly items: ExaminedItems;
  readonly now: number;
}

/** The items that a mend writes or relies on, as far as they are known before any is read. */
export function keysOfMend(mend: Mend): ItemKey[] {
  switch (mend.kind) {
    case 'settle':
    case 'clearPointer': {
      const { pool, slot, holder } = mend;
      return [hostItem(holder.host), vipItem(pool.id, slot), blockItem(pool.id, blockOfSlot(slot))];
    }
    case 'dropClaim':
      return [hostItem(mend.host), itemOfEntry(mend.entry)];
    case 'unpin':
      return [blockItem(mend.poolId, mend.number), itemOfEntry(mend.entry)];
    case 'retireHost':
    case 'sign':
    case 'makeFindable':
      return [hostItem(mend.host)];
    default:
      return [itemOfEntry(mend.entry)];
  }
}

const numeric = (value: number) => ({ N: String(value) });

/** What is read of a host to decide about one namespace of it. */
const guards = (namespace: string): string[] => [ATTRIBUTE.revision(namespace), ATTRIBUTE.vip(namespace)];

/** One change of what a namespace has of a host: its revision moves, and its digest fits. */
function amendHost(
  { table, items }: Place,
  host: string,
  namespace: string,
  after: { readonly state: HostState; readonly vip: HeldVip | undefined; readonly changes?: Changes },
): TransactWriteItem {
  const claims = [...after.state.claims.values()].filter((claim) => claim.namespace === namespace);
  const { revision } = after.state.namespaces.get(namespace) ?? NO_NAMESPACE;
  const changes = {
    ...after.changes,
    [ATTRIBUTE.revision(namespace)]: numeric(revision + 1),
    [ATTRIBUTE.signature(namespace)]: { S: signatureOf(claims, after.vip) },
  };
  return amend(table, hostItem(host), items.raw(hostItem(host)), changes, { counter: ATTRIBUTE.writes });
}

const hostOf = ({ items }: Place, host: string): HostState => items.host(host) ?? NO_HOST;

const vipOf = (place: Place, { host, namespace }: SlotHolder): HeldVip | undefined =>
  hostOf(place, host).namespaces.get(namespace)?.vip;

/** Lookers at the change counters see that something has changed. */
const count = (table: string, namespace: string, host: string): TransactWriteItem => ({
  Update: {
    TableName: table,
    Key: { pk: { S: counterItem(namespace, host).pk }, sk: { S: counterItem(namespace, host).sk } },
    UpdateExpression: 'ADD commits :one',
    ExpressionAttributeValues: { ':one': numeric(1) },
  },
});

/** The host that the VIP's item names goes on not pointing here, or pointing here, as it was read. */
function rivalUnchanged({ table, items }: Place, vip: Item | null, holder: SlotHolder): TransactWriteItem[] {
  const [host, namespace] = [vip?.host?.S, vip?.namespace?.S];
  if (host === undefined || namespace === undefined || host === holder.host || host === '') return [];
  return [unchanged(table, hostItem(host), items.raw(hostItem(host)), guards(namespace))];
}

function settleBlock({ table, items }: Place, { pool, slot, holder }: Settle): TransactWriteItem {
  const key = blockItem(pool.id, blockOfSlot(slot));
  const { namespace, host, until } = holder;
  const tombstone = until === undefined ? undefined : encodeTombstone({ namespace, host, until });
  const member = { set: ATTRIBUTE.used, number: slot };
  return amend(
    table,
    key,
    items.raw(key),
    { [ATTRIBUTE.tombstone(slot)]: tombstone },
    { member, counter: ATTRIBUTE.blockRevision },
  );
}

function settleVip({ table, items, now }: Place, { pool, slot, holder }: Settle): TransactWriteItem {
  const key = vipItem(pool.id, slot);
  const before = items.raw(key);
  const { ipv4, ipv6 } = addressesOfSlot(pool, slot);
  const former = { namespace: before?.namespace?.S, host: before?.host?.S };
  const moved = former.host !== undefined && (former.host !== holder.host || former.namespace !== holder.namespace);
  const until = Number(before?.until?.N ?? now);
  const history: Changes = moved
    ? {
        holder1: encodeTombstone({ namespace: former.namespace ?? '', host: former.host ?? '', until }),
        holder2: before?.holder1,
        holder3: before?.holder2,
      }
    : {};
  return amend(table, key, before, {
    ipv4: { S: ipv4 },
    ipv6: { S: ipv6 },
    namespace: { S: holder.namespace },
    host: { S: holder.host },
    until: holder.until === undefined ? undefined : numeric(holder.until),
    ...history,
  });
}

function settleHost(place: Place, { pool, slot, holder, pointer }: Settle): TransactWriteItem[] {
  const { namespace, host, until } = holder;
  const key = hostItem(host);
  if (host === '') return [];
  if (!pointer) return [unchanged(place.table, key, place.items.raw(key), guards(namespace))];
  const vip: HeldVip = {
    poolId: pool.id,
    slot,
    ...addressesOfSlot(pool, slot),
    ...(until === undefined ? {} : { until }),
  };
  const changes = { [ATTRIBUTE.vip(namespace)]: encodeVip(vip) };
  return [amendHost(place, host, namespace, { state: hostOf(place, host), vip, changes })];
}

function settle(place: Place, mend: Settle): TransactWriteItem[] {
  const vip = place.items.raw(vipItem(mend.pool.id, mend.slot));
  return [
    settleBlock(place, mend),
    settleVip(place, mend),
    ...settleHost(place, mend),
    ...rivalUnchanged(place, vip, mend.holder),
  ];
}

function clearPointer(place: Place, { pool, slot, holder }: ClearPointer): TransactWriteItem[] {
  const { namespace, host } = holder;
  const key = vipItem(pool.id, slot);
  const vip = place.items.raw(key);
  const changes = { [ATTRIBUTE.vip(namespace)]: undefined };
  return [
    amendHost(place, host, namespace, { state: hostOf(place, host), vip: undefined, changes }),
    unchanged(place.table, key, vip, ['namespace', 'host', 'until']),
    ...rivalUnchanged(place, vip, holder),
  ];
}

function dropClaim(place: Place, host: string, entry: string): TransactWriteItem[] {
  const [namespace = ''] = entry.split('/');
  const state = hostOf(place, host);
  const claims = new Map([...state.claims].filter(([key]) => key !== entry));
  const vip = vipOf(place, { namespace, host });
  const changes = { [ATTRIBUTE.claim(entry)]: undefined };
  const key = itemOfEntry(entry);
  return [
    amendHost(place, host, namespace, { state: { ...state, claims }, vip, changes }),
    unchanged(place.table, key, place.items.raw(key), ['resourceVersion', 'pending']),
  ];
}

function unpin({ table, items }: Place, mend: Extract<Mend, { kind: 'unpin' }>): TransactWriteItem[] {
  const key = blockItem(mend.poolId, mend.number);
  const before = items.raw(key);
  const stale = [...mend.slots.map(ATTRIBUTE.pinned), ...(mend.whole ? [ATTRIBUTE.pinnedWhole] : [])];
  const changes = stale.map((attribute) => {
    const left = (before?.[attribute]?.SS ?? []).filter((entry) => entry !== mend.entry);
    return [attribute, left.length > 0 ? { SS: left } : undefined] as const;
  });
  const entry = itemOfEntry(mend.entry);
  return [
    amend(table, key, before, Object.fromEntries(changes), { counter: ATTRIBUTE.blockRevision }),
    unchanged(table, entry, items.raw(entry), ['resourceVersion', 'pending']),
  ];
}

/**
 * The item of a host goes in two steps, an hour apart. The first sets its revisions to the time, a number that counting
 * never reaches: a writer that read it before has ended when the second deletes it, and for one that read it since,
 * the counting that begins again from 1 never looks like what it read. No condition can name a namespace that is new to
 * the item, so the count of its writes is set to the time too: as long as it stands there, nobody has written.
 */
function retireHost({ table, items, now }: Place, host: string): TransactWriteItem[] {
  const key = hostItem(host);
  const before = items.raw(key);
  if (!before) return [];
  const counts = Object.keys(before).filter((attribute) => attribute.startsWith(ATTRIBUTE.revision('')));
  const marks = [...counts, ATTRIBUTE.writes];
  const since = before.emptySince?.N;
  if (since === undefined || marks.some((attribute) => before[attribute]?.N !== since)) {
    const marked = Object.fromEntries([...marks, 'emptySince'].map((attribute) => [attribute, numeric(now)]));
    return [amend(table, key, before, marked)];
  }
  return Number(since) + RETIRE_AFTER_MS > now ? [] : [deleteUnchanged(table, key, before)];
}

/** The transaction that mends it, under conditions on all that was read; empty when its time has not come. */
export function transactionOf(
  mend: DirectMend,
  table: string,
  items: ExaminedItems,
  context: FsckContext,
): TransactWriteItem[] {
  const place: Place = { table, items, now: context.now };
  switch (mend.kind) {
    case 'settle':
      return [...settle(place, mend), count(table, mend.holder.namespace, mend.holder.host)];
    case 'clearPointer':
      return [...clearPointer(place, mend), count(table, mend.holder.namespace, mend.holder.host)];
    case 'dropClaim':
      return [...dropClaim(place, mend.host, mend.entry), count(table, '', mend.host)];
    case 'sign': {
      const { host, namespace } = mend;
      return [amendHost(place, host, namespace, { state: hostOf(place, host), vip: vipOf(place, mend) })];
    }
    case 'unpin':
      return unpin(place, mend);
    case 'retireHost':
      return retireHost(place, mend.host);
  }
}
