import { isDeepStrictEqual } from 'node:util';
import type { ObjectMeta, ServiceEntry, ServiceEntryStatus } from '../serviceentry/service-entry.ts';
import type { HeldVip, StoredEntry } from './state.ts';
import type { Precondition, Rejection } from './writer.ts';

export interface RevisionContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** For an entry that is new. */
  readonly uid: string;
}

const rfc3339 = (now: number): string => new Date(now).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** Opaque to clients, but it grows, also over a delete and a re-creation, so that an old one never matches again. */
export const nextResourceVersion = (current: string | undefined, now: number): string =>
  String(Math.max(now, current === undefined ? 0 : Number(current) + 1));

/** The fields of ObjectMeta that belong to whoever applies; the rest the registry writes. */
function appliedMetadata(metadata: ObjectMeta): ObjectMeta {
  const { uid: _u, creationTimestamp: _c, generation: _g, resourceVersion: _r, selfLink: _s, ...applied } = metadata;
  return applied;
}

/** Whether applying would change nothing that the applier owns. */
export function isUnchanged(current: ServiceEntry, applied: ServiceEntry): boolean {
  return (
    isDeepStrictEqual(current.spec, applied.spec) &&
    isDeepStrictEqual(appliedMetadata(current.metadata), appliedMetadata(applied.metadata))
  );
}

/** The entry as it will be stored, status aside: `generation` moves only with the spec. */
export function reviseEntry(
  current: ServiceEntry | undefined,
  applied: ServiceEntry,
  context: RevisionContext,
): ServiceEntry {
  const before = current?.metadata;
  const specChanged = !current || !isDeepStrictEqual(current.spec, applied.spec);
  const { status: _status, ...rest } = applied;
  return {
    ...rest,
    metadata: {
      ...appliedMetadata(applied.metadata),
      uid: before?.uid ?? context.uid,
      creationTimestamp: before?.creationTimestamp ?? rfc3339(context.now),
      generation: (before?.generation ?? 0) + (specChanged ? 1 : 0),
      resourceVersion: nextResourceVersion(before?.resourceVersion, context.now),
    },
  };
}

/** `status` of an entry whose hosts hold these VIPs: what was allocated, IPv4 before IPv6, host by host. */
export function withStatus(
  entry: ServiceEntry,
  vips: ReadonlyMap<string, HeldVip>,
  current: ServiceEntryStatus | undefined,
  now: number,
): ServiceEntry {
  const addresses = [...vips].flatMap(([host, vip]) => [
    { value: vip.ipv4, host },
    { value: vip.ipv6, host },
  ]);
  const condition = {
    type: 'AddressesAllocated',
    status: 'True',
    reason: vips.size > 0 ? 'Allocated' : 'NotRequired',
    message: vips.size > 0 ? `hosts with a virtual IP: ${vips.size}` : 'no host of this entry needs a virtual IP',
  } as const;
  const before = current?.conditions?.find(({ type }) => type === condition.type);
  const unmoved = before?.reason === condition.reason ? before.lastTransitionTime : undefined;
  return {
    ...entry,
    status: {
      observedGeneration: entry.metadata.generation ?? 1,
      ...(addresses.length > 0 ? { addresses } : {}),
      conditions: [{ ...condition, lastTransitionTime: unmoved ?? rfc3339(now) }],
    },
  };
}

const rejected = (reason: Rejection['reason'], message: string): Rejection => ({ kind: 'rejected', reason, message });

/** Why a write may not go ahead against the entry in force, or undefined. */
export function refusal(
  precondition: Precondition,
  stored: StoredEntry | undefined,
  name: string,
): Rejection | undefined {
  if (precondition.kind === 'absent' && stored) {
    return rejected('AlreadyExists', `serviceentries.networking.istio.io "${name}" already exists`);
  }
  if (precondition.kind === 'unmodified') return modified(precondition, stored, name);
  if (precondition.kind !== 'present') return undefined;
  if (!stored) return rejected('NotFound', `serviceentries.networking.istio.io "${name}" not found`);
  const other = precondition.uid !== undefined && precondition.uid !== stored.entry.metadata.uid;
  const stale = precondition.resourceVersion !== undefined && precondition.resourceVersion !== stored.resourceVersion;
  return other || stale ? conflict(name) : undefined;
}

function modified(
  { resourceVersion, uid }: Extract<Precondition, { kind: 'unmodified' }>,
  stored: StoredEntry | undefined,
  name: string,
): Rejection | undefined {
  const speaksOfIt = stored && (uid === undefined || uid === stored.entry.metadata.uid);
  return speaksOfIt && resourceVersion !== stored.resourceVersion ? conflict(name) : undefined;
}

const conflict = (name: string): Rejection =>
  rejected(
    'Conflict',
    `Operation cannot be fulfilled on serviceentries.networking.istio.io "${name}": ` +
      'the object has been modified; please apply your changes to the latest version and try again',
  );
