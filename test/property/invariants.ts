import { isDeepStrictEqual } from 'node:util';
import { pinsOf } from '../../src/registry/pins.ts';
import { registeredHosts } from '../../src/registry/registered-mesh.ts';
import { type EntryState, type HeldVip, type HostState, NO_HOST } from '../../src/registry/state.ts';
import type { HostClaim } from '../../src/serviceentry/claim.ts';
import { claimsOf } from '../../src/serviceentry/claims.ts';
import type { ServiceEntry } from '../../src/serviceentry/service-entry.ts';
import type { NamespaceRecord } from '../../src/table/host.ts';
import type { Block, Tombstone } from '../../src/vip/plan.ts';
import { addressesOfSlot, blockOfSlot, type Pool } from '../../src/vip/pool.ts';
import type { TableImage } from './table-image.ts';

/** What the table says at one instant. */
export interface Instant {
  readonly image: TableImage;
  readonly now: number;
}

export interface Circumstances {
  readonly pools: readonly Pool[];
  readonly tombstoneMs: number;
  /** When an entry was last seen to write the address of a slot, by `<pool>/<slot>`. */
  readonly lastPinned: ReadonlyMap<string, number>;
}

/** What a host item says of the VIP of one namespace. */
interface Pointer {
  readonly who: string;
  readonly namespace: string;
  readonly host: string;
  readonly vip: HeldVip;
  /** `<pool>/<slot>`. */
  readonly at: string;
}

function pointersOf(image: TableImage): Pointer[] {
  return [...image.hosts].flatMap(([host, { namespaces }]) =>
    [...namespaces].flatMap(([namespace, { vip }]) =>
      vip ? [{ who: `${namespace}/${host}`, namespace, host, vip, at: `${vip.poolId}/${vip.slot}` }] : [],
    ),
  );
}

const isLive = ({ vip }: Pointer): boolean => vip.until === undefined;

const json = (value: unknown): string => JSON.stringify(value);

/** `<pool>/<number>` taken apart; the name of a pool may hold a slash. */
function splitKey(key: string): [poolId: string, number: number] {
  const slash = key.lastIndexOf('/');
  return [key.slice(0, slash), Number(key.slice(slash + 1))];
}

/** Every version of an entry that a write has put in force, or has announced. */
export const versionsOf = ({ stored, pending }: EntryState): ServiceEntry[] =>
  [stored?.entry, pending?.entry, ...(pending?.superseded ?? [])].filter((entry) => entry !== undefined);

/** Invariants 1 and 5: no slot has two holders, and what a host says of its VIP, its block and its VIP item say. */
function pointerFaults(image: TableImage, pools: readonly Pool[]): string[] {
  const holders = new Map<string, string>();
  return pointersOf(image).flatMap((pointer) => {
    const other = holders.get(pointer.at);
    holders.set(pointer.at, pointer.who);
    const shared = other ? [`VIP ${pointer.at} is pointed at by ${other} and ${pointer.who}`] : [];
    return [...shared, ...addressFaults(pointer, pools), ...holdingFaults(pointer, image)];
  });
}

function addressFaults({ at, who, vip }: Pointer, pools: readonly Pool[]): string[] {
  const { ipv4, ipv6 } = vip;
  const pool = pools.find(({ id }) => id === vip.poolId);
  const isRight = pool && isDeepStrictEqual(addressesOfSlot(pool, vip.slot), { ipv4, ipv6 });
  return isRight ? [] : [`VIP ${at} of ${who} has the addresses ${ipv4} and ${ipv6}`];
}

function holdingFaults({ at, who, namespace, host, vip }: Pointer, image: TableImage): string[] {
  const { ipv4, ipv6, until } = vip;
  const item = image.vips.get(at);
  const said = { namespace, host, ipv4, ipv6, ...(until === undefined ? {} : { until }) };
  const block = image.blocks.get(`${vip.poolId}/${blockOfSlot(vip.slot)}`);
  const tombstone = block?.tombstones.get(vip.slot);
  const due = until === undefined ? undefined : { namespace, host, until };
  return [
    ...(isDeepStrictEqual(item, said) ? [] : [`VIP item ${at} is ${json(item)}, its host says ${json(said)}`]),
    ...(block?.used.has(vip.slot) ? [] : [`slot ${at} of ${who} is not in use`]),
    ...(isDeepStrictEqual(tombstone, due)
      ? []
      : [`slot ${at} of ${who}: tombstone ${json(tombstone)}, not ${json(due)}`]),
  ];
}

/**
 * Whether some entry wrote the address of this tombstone while it lasted, as the entry of its own host may: the address
 * is that entry's until it lets go, so the host that comes back meanwhile gets another.
 */
const wasPinned = (at: string, until: number, { lastPinned, tombstoneMs }: Circumstances): boolean =>
  (lastPinned.get(at) ?? Number.NEGATIVE_INFINITY) >= until - tombstoneMs;

/** Invariants 1, 4 and 5 from the other side: every slot in use is somebody's, and pins and live VIPs stay apart. */
function slotFaults({ image, now }: Instant, circumstances: Circumstances): string[] {
  const pointed = new Set(pointersOf(image).map(({ at }) => at));
  const halfDone = new Set([...image.entries].flatMap(([key, { pending }]) => (pending ? [key] : [])));
  const isOver = (at: string, tombstone: Tombstone | undefined): boolean =>
    tombstone !== undefined && (tombstone.until <= now || wasPinned(at, tombstone.until, circumstances));
  const faultsOfSlot = (block: Block, slot: number, at: string): string[] => {
    const tombstone = block.tombstones.get(slot);
    // A large write that lifts its own pins does so last.
    const pinning = new Set([...(block.pinned.get(slot) ?? []), ...block.pinnedWhole]).difference(halfDone);
    return [
      ...(image.vips.has(at) ? [] : [`slot ${at} is in use without a VIP item`]),
      ...(pointed.has(at) || isOver(at, tombstone) ? [] : [`slot ${at} is in use, but nobody points at it`]),
      ...(tombstone || pinning.size === 0 ? [] : [`live VIP ${at} is pinned by ${[...pinning]}`]),
    ];
  };
  return [...image.blocks].flatMap(([key, block]) => {
    const [poolId, number] = splitKey(key);
    const unused = [...block.tombstones.keys()].filter((slot) => !block.used.has(slot));
    const strange = [...block.used, ...block.pinned.keys()].filter((slot) => blockOfSlot(slot) !== number);
    return [
      ...unused.map((slot) => `the unused slot ${poolId}/${slot} has a tombstone`),
      ...strange.map((slot) => `slot ${slot} is in block ${key}`),
      ...[...block.used].flatMap((slot) => faultsOfSlot(block, slot, `${poolId}/${slot}`)),
    ];
  });
}

function vipItemFaults(image: TableImage): string[] {
  return [...image.vips.keys()].flatMap((at) => {
    const [poolId, slot] = splitKey(at);
    const used = image.blocks.get(`${poolId}/${blockOfSlot(slot)}`)?.used.has(slot);
    return used ? [] : [`VIP item ${at} is of an unused slot`];
  });
}

/** Invariant 3: nothing is claimed without an entry that explains it. */
function claimFaults(image: TableImage): string[] {
  const faultOf = (key: string, claim: HostClaim): string[] => {
    const who = `the claim of ${key} on ${claim.host}`;
    const state = image.entries.get(key);
    if (!state) return [`${who} has no entry`];
    const explained = versionsOf(state).some((entry) => claimsOf(entry).some((one) => isDeepStrictEqual(one, claim)));
    return explained ? [] : [`${who} is none that its entry makes or announced: ${json(claim)}`];
  };
  return [...image.hosts.values()].flatMap(({ claims }) => [...claims].flatMap(([key, claim]) => faultOf(key, claim)));
}

/** What an entry in force says is claimed, and its status names the VIPs; while a write is announced, both may differ. */
function entryFaults(image: TableImage): string[] {
  return [...image.entries].flatMap(([key, { stored, pending }]) => {
    if (!stored || pending) return stored || pending ? [] : [`the item of ${key} holds nothing`];
    const claims = claimsOf(stored.entry);
    const missing = claims.filter((claim) => !isDeepStrictEqual(image.hosts.get(claim.host)?.claims.get(key), claim));
    const held = claims.flatMap(({ wantsVip, host, namespace }) => {
      const vip = wantsVip && image.hosts.get(host)?.namespaces.get(namespace)?.vip;
      return vip ? [vip.ipv4, vip.ipv6].map((value) => ({ value, host })) : [];
    });
    const said = stored.entry.status?.addresses ?? [];
    return [
      ...missing.map(({ host }) => `${key} is in force, but its claim on ${host} is not there`),
      ...(isDeepStrictEqual(said, held) ? [] : [`the status of ${key} says ${json(said)}, held is ${json(held)}`]),
    ];
  });
}

const recordTexts = (namespaces: readonly NamespaceRecord[]): string[] =>
  namespaces
    .filter(({ claims }) => claims.length > 0)
    .map(({ namespace, claims, vip }) => json([namespace, vip, claims.map(json).sort()]))
    .sort();

function recordsOfHost({ claims, namespaces }: HostState): NamespaceRecord[] {
  return [...Map.groupBy(claims.values(), ({ namespace }) => namespace)].map(([namespace, ofNamespace]) => {
    const vip = namespaces.get(namespace)?.vip;
    const live = vip && vip.until === undefined ? { vip: { ipv4: vip.ipv4, ipv6: vip.ipv6 } } : {};
    return { namespace, claims: ofNamespace, ...live };
  });
}

/**
 * What a view's table is built from: the entries alone say of each host all that its item says, the live VIP included,
 * whoever shares or releases it. Not where a write is announced: its entry still says what was.
 */
function tableFaults(image: TableImage): string[] {
  const states = [...image.entries.values()];
  const unsettled = new Set(
    states
      .filter(({ pending }) => pending)
      .flatMap((state) => versionsOf(state).flatMap(claimsOf))
      .map(({ host }) => host),
  );
  const entries = states.flatMap(({ stored }) => (stored ? [stored.entry] : []));
  const told = new Map(registeredHosts(entries).map(({ record }) => [record.host, record.namespaces]));
  return [...new Set([...told.keys(), ...image.hosts.keys()])].flatMap((host) => {
    const [table, item] = [told.get(host) ?? [], recordsOfHost(image.hosts.get(host) ?? NO_HOST)].map(recordTexts);
    const agree = unsettled.has(host) || isDeepStrictEqual(table, item);
    return agree ? [] : [`entries say of ${host}: ${json(table)}; its item says ${json(item)}`];
  });
}

/** A VIP lives exactly while a claim of its namespace qualifies. */
function qualificationFaults(image: TableImage): string[] {
  const faultsOfHost = (host: string, { claims, namespaces }: HostState): string[] => {
    const all = [...claims.values()];
    return [...new Set([...namespaces.keys(), ...all.map((claim) => claim.namespace)])].flatMap((namespace) => {
      const wanted = all.some((claim) => claim.namespace === namespace && claim.wantsVip);
      const vip = namespaces.get(namespace)?.vip;
      const live = vip !== undefined && vip.until === undefined;
      return wanted === live ? [] : [`${namespace}/${host} wants ${wanted ? 'a' : 'no'} VIP and has ${json(vip)}`];
    });
  };
  return [...image.hosts].flatMap(([host, state]) => faultsOfHost(host, state));
}

/** Slots as `<pool>/<slot>`, whole blocks as `<pool>/b<number>`. */
function pinTexts(pool: Pool, entries: readonly ServiceEntry[]): string[] {
  const { slots, blocks } = pinsOf(pool, entries.flatMap(claimsOf));
  return [...[...slots].map((slot) => `${pool.id}/${slot}`), ...[...blocks].map((block) => `${pool.id}/b${block}`)];
}

function pinnedBy(image: TableImage): Map<string, Set<string>> {
  const pinned = new Map<string, Set<string>>();
  const note = (entry: string, what: string) => pinned.set(entry, (pinned.get(entry) ?? new Set()).add(what));
  for (const [key, block] of image.blocks) {
    const [poolId, number] = splitKey(key);
    for (const [slot, entries] of block.pinned) for (const entry of entries) note(entry, `${poolId}/${slot}`);
    for (const entry of block.pinnedWhole) note(entry, `${poolId}/b${number}`);
  }
  return pinned;
}

/** The addresses that entries write themselves are set aside, and nothing else is. */
function pinFaults(image: TableImage, pools: readonly Pool[]): string[] {
  const pinned = pinnedBy(image);
  return [...new Set([...pinned.keys(), ...image.entries.keys()])].flatMap((key) => {
    const state = image.entries.get(key) ?? {};
    const there = pinned.get(key) ?? new Set();
    const may = new Set(pools.flatMap((pool) => pinTexts(pool, versionsOf(state))));
    const must = state.pending ? new Set<string>() : may;
    return [
      ...[...there.difference(may)].map((what) => `${key} pins ${what}, which none of its versions says`),
      ...[...must.difference(there)].map((what) => `${key} does not pin ${what}`),
    ];
  });
}

/** Everything that is wrong with the table at this instant. */
export function faultsOf(instant: Instant, circumstances: Circumstances): string[] {
  const { image } = instant;
  return [
    ...pointerFaults(image, circumstances.pools),
    ...slotFaults(instant, circumstances),
    ...vipItemFaults(image),
    ...claimFaults(image),
    ...entryFaults(image),
    ...tableFaults(image),
    ...qualificationFaults(image),
    ...pinFaults(image, circumstances.pools),
  ];
}

const byWho = (image: TableImage): Map<string, Pointer> =>
  new Map(pointersOf(image).map((pointer) => [pointer.who, pointer]));

/** Invariant 2: what no operation was about has not changed. */
function untouchedFaults(before: TableImage, after: TableImage, touched: ReadonlySet<string>): string[] {
  const [was, is] = [byWho(before), byWho(after)];
  const live = (pointer: Pointer | undefined) => (pointer && isLive(pointer) ? pointer.at : undefined);
  const changed = [...new Set([...was.keys(), ...is.keys()])].filter((who) => live(was.get(who)) !== live(is.get(who)));
  return changed
    .filter((who) => !touched.has(who))
    .map((who) => `nobody touched ${who}, but it went from ${live(was.get(who))} to ${live(is.get(who))}`);
}

/** Invariant 4: whoever had a VIP has the same again, unless its tombstone is over. */
function movedFaults(before: Instant, after: Instant, circumstances: Circumstances): string[] {
  const is = byWho(after.image);
  return pointersOf(before.image).flatMap(({ who, at, vip }) => {
    const now = is.get(who);
    const until = vip.until ?? before.now + circumstances.tombstoneMs;
    const isExcused = until <= after.now || wasPinned(at, until, circumstances);
    return !now || !isLive(now) || now.at === at || isExcused
      ? []
      : [`the VIP of ${who} moved from ${at} to ${now.at}`];
  });
}

/** Invariant 4: nobody else gets a VIP before the end of its tombstone. */
function strangerFaults(before: Instant, after: Instant, { tombstoneMs }: Circumstances): string[] {
  return [...before.image.vips].flatMap(([at, old]) => {
    const item = after.image.vips.get(at);
    const isSame = item?.namespace === old.namespace && item.host === old.host;
    const isFree = (old.until ?? before.now + tombstoneMs) <= after.now;
    const [from, to] = [`${old.namespace}/${old.host}`, `${item?.namespace}/${item?.host}`];
    return isSame || isFree ? [] : [`VIP ${at} of ${from} went to ${to} before its tombstone's end`];
  });
}

/** Everything that two instants cannot both have said. `touched`: `<namespace>/<host>` of all operations in between. */
export function changeFaults(
  before: Instant,
  after: Instant,
  touched: ReadonlySet<string>,
  circumstances: Circumstances,
): string[] {
  return [
    ...untouchedFaults(before.image, after.image, touched),
    ...movedFaults(before, after, circumstances),
    ...strangerFaults(before, after, circumstances),
  ];
}
