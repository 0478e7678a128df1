import { gunzipSync, gzipSync } from 'node:zlib';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { HostClaim } from '../serviceentry/claim.ts';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import type { HostRecord, NamespaceRecord } from '../table/host.ts';
import { type Block, EMPTY_BLOCK, type Tombstone } from '../vip/plan.ts';
import {
  type EntryState,
  entryOfClaim,
  type HeldVip,
  type HostState,
  type NamespaceState,
  type PendingWrite,
  type StoredEntry,
} from './state.ts';

export type Item = Record<string, AttributeValue>;

/**
 * What grows is kept in top-level attributes, one per claim, namespace or slot, so that an update needs neither an
 * existing map nor knowledge of its neighbours, and a condition can name exactly what it is about.
 */
export const ATTRIBUTE = {
  claim: (entry: string) => `c:${entry}`,
  vip: (namespace: string) => `v:${namespace}`,
  revision: (namespace: string) => `r:${namespace}`,
  signature: (namespace: string) => `g:${namespace}`,
  /** Of a host: moves with every write to it. Writers never make it a condition: strangers' claims share the item. */
  writes: 'writes',
  tombstone: (slot: number) => `t${slot}`,
  pinned: (slot: number) => `p${slot}`,
  pinnedWhole: 'p',
  used: 'used',
  blockRevision: 'revision',
} as const;

const GZIP_FROM_BYTES = 4096;

/** The table holds something that this version did not write: a person's edit, or a newer version. */
export class ItemFormatError extends Error {
  override readonly name = 'ItemFormatError';
}

function text(item: Item, attribute: string): string {
  const value = item[attribute]?.S;
  if (value === undefined) throw new ItemFormatError(`item ${item.pk?.S}/${item.sk?.S} has no text "${attribute}"`);
  return value;
}

function number(map: Item, attribute: string): number {
  const value = Number(map[attribute]?.N);
  if (!Number.isFinite(value)) throw new ItemFormatError(`attribute "${attribute}" is not a number`);
  return value;
}

export function encodeObject(entry: ServiceEntry): AttributeValue {
  const json = JSON.stringify(entry);
  return Buffer.byteLength(json) > GZIP_FROM_BYTES ? { B: gzipSync(json) } : { S: json };
}

function parseJson(text: string, what: string): never {
  try {
    return JSON.parse(text) as never;
  } catch (cause) {
    throw new ItemFormatError(`${what} is not JSON`, { cause });
  }
}

function decodeObject(value: AttributeValue | undefined): ServiceEntry {
  if (value?.S !== undefined) return parseJson(value.S, 'an entry');
  if (value?.B !== undefined) return parseJson(gunzipSync(value.B).toString(), 'an entry');
  throw new ItemFormatError('an entry item has no object');
}

export const encodePending = ({ writeId, until, entry, superseded }: PendingWrite): AttributeValue => ({
  M: {
    writeId: { S: writeId },
    until: { N: String(until) },
    ...(entry ? { object: encodeObject(entry) } : {}),
    ...(superseded.length > 0 ? { superseded: { L: superseded.map(encodeObject) } } : {}),
  },
});

function decodePending(map: Item): PendingWrite {
  const entry = map.object && decodeObject(map.object);
  const superseded = (map.superseded?.L ?? []).map(decodeObject);
  return { writeId: text(map, 'writeId'), until: number(map, 'until'), superseded, ...(entry ? { entry } : {}) };
}

/** The entry in force; none while its first write is under way. */
export function decodeStored(item: Item): StoredEntry | undefined {
  if (!item.object) return undefined;
  const entry = decodeObject(item.object);
  return { entry, resourceVersion: text(item, 'resourceVersion'), writeId: text(item, 'writeId') };
}

export function decodeEntry(item: Item): EntryState {
  const stored = decodeStored(item);
  const pending = item.pending?.M && decodePending(item.pending.M);
  return { ...(stored ? { stored } : {}), ...(pending ? { pending } : {}) };
}

/** A claim without what its key and its item already say. */
export function encodeClaim(claim: HostClaim): AttributeValue {
  const { host: _host, namespace: _namespace, entry: _entry, ...rest } = claim;
  return { S: JSON.stringify(rest) };
}

function decodeClaim(host: string, key: string, value: AttributeValue): HostClaim {
  const [namespace = '', entry = ''] = key.split('/');
  const answerFields: Omit<HostClaim, 'host' | 'namespace' | 'entry'> = parseJson(
    value.S ?? '',
    `claim ${key} on ${host}`,
  );
  return { host, namespace, entry, ...answerFields };
}

export function encodeVip(vip: HeldVip): AttributeValue {
  const until = vip.until === undefined ? {} : { until: { N: String(vip.until) } };
  return {
    M: {
      pool: { S: vip.poolId },
      slot: { N: String(vip.slot) },
      ipv4: { S: vip.ipv4 },
      ipv6: { S: vip.ipv6 },
      ...until,
    },
  };
}

function decodeVip(value: AttributeValue | undefined): HeldVip | undefined {
  const map = value?.M;
  if (!map) return undefined;
  const vip = {
    poolId: text(map, 'pool'),
    slot: number(map, 'slot'),
    ipv4: text(map, 'ipv4'),
    ipv6: text(map, 'ipv6'),
  };
  return map.until ? { ...vip, until: number(map, 'until') } : vip;
}

const namesWith = (item: Item, prefix: string): string[] =>
  Object.keys(item).flatMap((attribute) => (attribute.startsWith(prefix) ? [attribute.slice(prefix.length)] : []));

function decodeNamespace(item: Item, namespace: string): NamespaceState {
  const signature = item[ATTRIBUTE.signature(namespace)]?.S;
  const vip = decodeVip(item[ATTRIBUTE.vip(namespace)]);
  return {
    revision: number(item, ATTRIBUTE.revision(namespace)),
    ...(signature === undefined ? {} : { signature }),
    ...(vip ? { vip } : {}),
  };
}

export function decodeHost(host: string, item: Item): HostState {
  const claims = namesWith(item, 'c:').map((key) =>
    decodeClaim(host, key, item[ATTRIBUTE.claim(key)] as AttributeValue),
  );
  return {
    claims: new Map(claims.map((claim) => [entryOfClaim(claim), claim])),
    namespaces: new Map(namesWith(item, 'r:').map((namespace) => [namespace, decodeNamespace(item, namespace)])),
  };
}

/** What readers need of a host item. */
export function decodeRecord(host: string, item: Item): HostRecord {
  const { claims, namespaces } = decodeHost(host, item);
  const records = new Map<string, NamespaceRecord>();
  for (const claim of claims.values()) {
    const vip = namespaces.get(claim.namespace)?.vip;
    const record = records.get(claim.namespace) ?? {
      namespace: claim.namespace,
      claims: [],
      ...(vip && vip.until === undefined ? { vip: { ipv4: vip.ipv4, ipv6: vip.ipv6 } } : {}),
    };
    records.set(claim.namespace, { ...record, claims: [...record.claims, claim] });
  }
  return { host, namespaces: [...records.values()] };
}

export const encodeTombstone = (tombstone: Tombstone): AttributeValue => ({
  M: {
    until: { N: String(tombstone.until) },
    namespace: { S: tombstone.namespace },
    host: { S: tombstone.host },
  },
});

export function decodeBlock(item: Item | null): Block {
  if (!item) return EMPTY_BLOCK;
  const tombstones = new Map<number, Tombstone>();
  const pinned = new Map<number, ReadonlySet<string>>();
  for (const [attribute, value] of Object.entries(item)) {
    const slot = Number(attribute.slice(1));
    if (!/^[tp]\d+$/.test(attribute)) continue;
    if (value.SS) pinned.set(slot, new Set(value.SS));
    if (value.M) {
      const { M: map } = value;
      tombstones.set(slot, { until: number(map, 'until'), namespace: text(map, 'namespace'), host: text(map, 'host') });
    }
  }
  return {
    used: new Set((item[ATTRIBUTE.used]?.NS ?? []).map(Number)),
    tombstones,
    pinned,
    pinnedWhole: new Set(item[ATTRIBUTE.pinnedWhole]?.SS ?? []),
  };
}

export const decodeHolder = (item: Item): { namespace: string; host: string } => ({
  namespace: text(item, 'namespace'),
  host: text(item, 'host'),
});

export const decodeSuffixes = (item: Item | null | undefined): ReadonlySet<number> =>
  new Set((item?.members?.NS ?? []).map(Number));
