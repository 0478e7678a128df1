import { isDeepStrictEqual } from 'node:util';
import { pinsOf } from '../../src/registry/pins.ts';
import type { EntryState, HeldVip } from '../../src/registry/state.ts';
import type { HostClaim } from '../../src/serviceentry/claim.ts';
import { claimsOf } from '../../src/serviceentry/claims.ts';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import { addressesOfSlot, BLOCK_SLOTS, blockOfSlot, type Pool } from '../../src/vip/pool.ts';
import type { TableImage } from './table-image.ts';

const announced = ({ pending }: EntryState): ServiceEntry[] =>
  pending ? [...(pending.entry ? [pending.entry] : []), ...pending.superseded] : [];

const versions = (state: EntryState): ServiceEntry[] => [
  ...(state.stored ? [state.stored.entry] : []),
  ...announced(state),
];

interface Pointer {
  readonly namespace: string;
  readonly host: string;
  readonly vip: HeldVip;
}

function pointersOf(image: TableImage): Pointer[] {
  return [...image.hosts].flatMap(([host, { namespaces }]) =>
    [...namespaces].flatMap(([namespace, { vip }]) => (vip ? [{ namespace, host, vip }] : [])),
  );
}

/** Invariants 1 and 5: what the host items say of VIPs is what blocks and VIP items say. */
function* pointerFaults(image: TableImage, pools: readonly Pool[]): Iterable<string> {
  const holders = new Map<string, string>();
  for (const { namespace, host, vip } of pointersOf(image)) {
    const who = `${namespace}/${host}`;
    const at = `${vip.poolId}/${vip.slot}`;
    const other = holders.get(at);
    if (other) yield `VIP ${at} is pointed at by ${other} and ${who}`;
    holders.set(at, who);
    const pool = pools.find(({ id }) => id === vip.poolId);
    const { ipv4, ipv6 } = vip;
    if (!pool || !isDeepStrictEqual(addressesOfSlot(pool, vip.slot), { ipv4, ipv6 }))
      yield `VIP ${at} of ${who}: ${ipv4}`;
    const item = image.vips.get(at);
    const said = { namespace, host, ipv4, ipv6, ...(vip.until === undefined ? {} : { until: vip.until }) };
    if (!isDeepStrictEqual(item, said))
      yield `VIP item ${at} is ${JSON.stringify(item)}, its host says ${JSON.stringify(said)}`;
    const block = image.blocks.get(`${vip.poolId}/${blockOfSlot(vip.slot)}`);
    if (!block?.used.has(vip.slot)) yield `slot ${at} of ${who} is not in use`;
    const tombstone = block?.tombstones.get(vip.slot);
    const expected = vip.until === undefined ? undefined : { namespace, host, until: vip.until };
    if (!isDeepStrictEqual(tombstone, expected)) {
      yield `slot ${at} of ${who} has the tombstone ${JSON.stringify(tombstone)}, not ${JSON.stringify(expected)}`;
    }
  }
}

/** When an entry was last seen to write the address of a slot, by `<pool>/<slot>`. */
export type LastPinned = ReadonlyMap<string, number>;

/**
 * Whether some entry wrote the address of this tombstone while it lasted, as the entry of its own host may: the address
 * is that entry's until it lets go, so the host that comes back meanwhile gets another.
 */
const wasPinned = (at: string, until: number, { lastPinned, tombstoneMs }: Circumstances): boolean =>
  (lastPinned.get(at) ?? Number.NEGATIVE_INFINITY) >= until - tombstoneMs;

export interface Circumstances {
  readonly pools: readonly Pool[];
  readonly lastPinned: LastPinned;
  readonly tombstoneMs: number;
}

/** Invariants 1, 4 and 5 from the other side: every slot in use is somebody's, and pins and live VIPs stay apart. */
function* slotFaults(image: TableImage, now: number, circumstances: Circumstances): Iterable<string> {
  const halfDone = new Set([...image.entries].flatMap(([key, { pending }]) => (pending ? [key] : [])));
  const pointers = new Map(pointersOf(image).map((pointer) => [`${pointer.vip.poolId}/${pointer.vip.slot}`, pointer]));
  for (const [key, block] of image.blocks) {
    const poolId = key.slice(0, key.lastIndexOf('/'));
    for (const slot of block.tombstones.keys())
      if (!block.used.has(slot)) yield `tombstone of unused slot ${poolId}/${slot}`;
    for (const slot of block.used) {
      const at = `${poolId}/${slot}`;
      const tombstone = block.tombstones.get(slot);
      const pinning = new Set([...(block.pinned.get(slot) ?? []), ...block.pinnedWhole]);
      if (!image.vips.has(at)) yield `slot ${at} is in use without a VIP item`;
      const over = tombstone && (tombstone.until <= now || wasPinned(at, tombstone.until, circumstances));
      if (!pointers.has(at) && !over) yield `slot ${at} is in use, but nobody points at it`;
      // A large write that lifts its own pins does so last.
      if (!tombstone && pinning.difference(halfDone).size > 0) yield `live VIP ${at} is pinned by ${[...pinning]}`;
    }
  }
  for (const at of image.vips.keys()) {
    const [poolId, slot] = [at.slice(0, at.lastIndexOf('/')), Number(at.slice(at.lastIndexOf('/') + 1))];
    if (!image.blocks.get(`${poolId}/${blockOfSlot(slot)}`)?.used.has(slot)) yield `VIP item ${at} of an unused slot`;
  }
}

function claimFault(claim: HostClaim, state: EntryState | undefined): string | undefined {
  const who = `the claim of ${claim.namespace}/${claim.entry} on ${claim.host}`;
  if (!state) return `${who} has no entry`;
  const explains = versions(state).some((entry) => claimsOf(entry).some((one) => isDeepStrictEqual(one, claim)));
  return explains ? undefined : `${who} is none that its entry makes or announced: ${JSON.stringify(claim)}`;
}

/** Invariant 3: nothing is claimed without an entry that explains it, and what an entry in force says is claimed. */
function* claimFaults(image: TableImage): Iterable<string> {
  for (const { claims } of image.hosts.values()) {
    for (const [key, claim] of claims) {
      const fault = claimFault(claim, image.entries.get(key));
      if (fault) yield fault;
    }
  }
  for (const [key, { stored, pending }] of image.entries) {
    if (!stored && !pending) yield `the item of ${key} holds nothing`;
    if (!stored || pending) continue;
    for (const claim of claimsOf(stored.entry)) {
      const there = image.hosts.get(claim.host)?.claims.get(key);
      if (!isDeepStrictEqual(there, claim)) yield `${key} is in force, but ${claim.host} has ${JSON.stringify(there)}`;
    }
  }
}

/** A VIP lives exactly while a claim of its namespace qualifies, and the status of an entry names it. */
function* vipFaults(image: TableImage): Iterable<string> {
  for (const [host, { claims, namespaces }] of image.hosts) {
    for (const namespace of new Set([...namespaces.keys(), ...[...claims.values()].map((claim) => claim.namespace)])) {
      const wanted = [...claims.values()].some((claim) => claim.namespace === namespace && claim.wantsVip);
      const vip = namespaces.get(namespace)?.vip;
      const live = vip !== undefined && vip.until === undefined;
      if (wanted !== live)
        yield `${namespace}/${host} ${wanted ? 'wants a VIP and has' : 'wants no VIP and has'} ${JSON.stringify(vip)}`;
    }
  }
  for (const [key, { stored, pending }] of image.entries) {
    if (!stored || pending) continue;
    const held = claimsOf(stored.entry).flatMap((claim) => {
      const vip = claim.wantsVip && image.hosts.get(claim.host)?.namespaces.get(claim.namespace)?.vip;
      return vip ? [vip.ipv4, vip.ipv6].map((value) => ({ value, host: claim.host })) : [];
    });
    const said = stored.entry.status?.addresses ?? [];
    if (!isDeepStrictEqual(said, held))
      yield `the status of ${key} says ${JSON.stringify(said)}, held is ${JSON.stringify(held)}`;
  }
}

/** Slots as `<pool>/<slot>`, whole blocks as `<pool>/b<number>`. */
export const pinTexts = (pool: Pool, entries: readonly ServiceEntry[]): Set<string> => {
  const { slots, blocks } = pinsOf(pool, entries.flatMap(claimsOf));
  return new Set([
    ...[...slots].map((slot) => `${pool.id}/${slot}`),
    ...[...blocks].map((block) => `${pool.id}/b${block}`),
  ]);
};

/** The addresses that entries write themselves are set aside, and nothing else is. */
function* pinFaults(image: TableImage, pools: readonly Pool[]): Iterable<string> {
  const pinned = new Map<string, Set<string>>();
  const note = (entry: string, what: string) => pinned.set(entry, (pinned.get(entry) ?? new Set()).add(what));
  for (const [key, block] of image.blocks) {
    const [poolId, number] = [key.slice(0, key.lastIndexOf('/')), Number(key.slice(key.lastIndexOf('/') + 1))];
    for (const [slot, entries] of block.pinned) for (const entry of entries) note(entry, `${poolId}/${slot}`);
    for (const entry of block.pinnedWhole) note(entry, `${poolId}/b${number}`);
    for (const slot of [...block.used, ...block.pinned.keys()]) {
      if (Math.floor(slot / BLOCK_SLOTS) !== number) yield `slot ${slot} is in block ${number}`;
    }
  }
  for (const key of new Set([...pinned.keys(), ...image.entries.keys()])) {
    const state = image.entries.get(key) ?? {};
    const there = pinned.get(key) ?? new Set();
    const may = pools.map((pool) => pinTexts(pool, versions(state))).reduce((a, b) => a.union(b));
    const must = state.pending || !state.stored ? new Set<string>() : may;
    if (!there.isSubsetOf(may)) yield `${key} pins ${[...there.difference(may)]}, which none of its versions says`;
    if (!must.isSubsetOf(there)) yield `${key} does not pin ${[...must.difference(there)]}`;
  }
}

/** Everything that is wrong with the table at this instant. */
export function faultsOf({ image, now }: Instant, circumstances: Circumstances): string[] {
  return [
    ...pointerFaults(image, circumstances.pools),
    ...slotFaults(image, now, circumstances),
    ...claimFaults(image),
    ...vipFaults(image),
    ...pinFaults(image, circumstances.pools),
  ];
}

/** Who holds which slot; what two instants must agree on is in `changeFaults`. */
export interface Instant {
  readonly image: TableImage;
  readonly now: number;
}

const liveOf = (image: TableImage): Map<string, string> =>
  new Map(
    pointersOf(image).flatMap(({ namespace, host, vip }) =>
      vip.until === undefined ? [[`${namespace}/${host}`, vip.ipv4] as const] : [],
    ),
  );

/**
 * Invariants 2 and 4, between two instants: a VIP moves only when its tombstone is over, no stranger gets a slot
 * before, and what no operation was about has not changed. `touched`: `<namespace>/<host>` of all operations since.
 */
export function* changeFaults(
  before: Instant,
  after: Instant,
  touched: ReadonlySet<string>,
  circumstances: Circumstances,
): Iterable<string> {
  const { tombstoneMs } = circumstances;
  const [was, is] = [liveOf(before.image), liveOf(after.image)];
  const slotOf = new Map(
    pointersOf(before.image).map(({ namespace, host, vip }) => [`${namespace}/${host}`, `${vip.poolId}/${vip.slot}`]),
  );
  for (const [who, vip] of was) {
    const now = is.get(who);
    if (now !== vip && !touched.has(who)) yield `nobody touched ${who}, but its VIP went from ${vip} to ${now}`;
    const at = slotOf.get(who) ?? '';
    const excused = after.now - before.now >= tombstoneMs || wasPinned(at, before.now + tombstoneMs, circumstances);
    if (now !== undefined && now !== vip && !excused) yield `the VIP of ${who} moved from ${vip} to ${now}`;
  }
  for (const who of is.keys())
    if (!was.has(who) && !touched.has(who)) yield `nobody touched ${who}, but it got ${is.get(who)}`;
  for (const [at, old] of before.image.vips) {
    const item = after.image.vips.get(at);
    if (item?.namespace === old.namespace && item.host === old.host) continue;
    const free = (old.until ?? before.now + tombstoneMs) <= after.now;
    if (!free)
      yield `VIP ${at} of ${old.namespace}/${old.host} went to ${item?.namespace}/${item?.host} before its tombstone's end`;
  }
  for (const { namespace, host, vip } of pointersOf(before.image)) {
    const who = `${namespace}/${host}`;
    const kept = vip.until !== undefined && vip.until > after.now;
    if (
      kept &&
      !wasPinned(`${vip.poolId}/${vip.slot}`, vip.until, circumstances) &&
      is.has(who) &&
      is.get(who) !== vip.ipv4
    ) {
      yield `${who} did not get its VIP ${vip.ipv4} back, but ${is.get(who)}`;
    }
  }
}
