import { isDeepStrictEqual } from 'node:util';
import { blockOfSlot, type Pool } from '../vip/pool.ts';
import type { Check, ExaminedEntry, Finding, FsckContext } from './fsck.ts';
import { blockItem, entryItem, hostItem, type ItemKey } from './keys.ts';
import { pinsOf } from './pins.ts';
import type { HostState } from './state.ts';

const NONE: readonly Finding[] = [];

/** The key of an entry, given as the keys of claims and pins name it. */
export function itemOfEntry(entry: string): ItemKey {
  const [namespace = '', name = ''] = entry.split('/');
  return entryItem(namespace, name);
}

const namespaceOf = (entry: string): string => entry.split('/', 1)[0] ?? '';

function addressFindings(host: string, entry: string, examined: ExaminedEntry, state: HostState): readonly Finding[] {
  const wantsVip = examined.claims.get(host)?.wantsVip ?? false;
  const items = [itemOfEntry(entry), hostItem(host)];
  const vip = state.namespaces.get(namespaceOf(entry))?.vip;
  const live = vip?.until === undefined ? vip : undefined;
  if (wantsVip && !live) {
    const message = `host "${host}" of ServiceEntry ${entry} has no virtual IP, and should have one`;
    return [{ code: 'VipMissing', severity: 'error', items, message, mend: { kind: 'reapply', entry } }];
  }
  const listed = (examined.stored?.entry.status?.addresses ?? []).flatMap((one) =>
    one.host === host ? one.value : [],
  );
  const expected = wantsVip && live ? [live.ipv4, live.ipv6] : [];
  if (isDeepStrictEqual(listed, expected)) return NONE;
  const message = `the status of ServiceEntry ${entry} names [${listed}] for host "${host}", which has [${expected}]`;
  return [{ code: 'StatusDiffers', severity: 'error', items, message, mend: { kind: 'reapply', entry } }];
}

/** A claim on a host is that of an entry which names the host, or is about to, or was until an unfinished write. */
export const checkClaimant =
  (host: string, entry: string): Check =>
  (items) => {
    const examined = items.entry(entry);
    const state = items.host(host);
    if (!examined || !state?.claims.has(entry) || examined.claims.has(host)) return NONE;
    if (examined.announced.some((claim) => claim.host === host)) return NONE;
    const why = examined.stored ? 'does not name it' : 'is not there';
    const message = `host "${host}" is claimed by ServiceEntry ${entry}, which ${why}`;
    const mend = { kind: 'dropClaim', host, entry } as const;
    return [
      { code: 'ClaimWithoutEntry', severity: 'error', items: [itemOfEntry(entry), hostItem(host)], message, mend },
    ];
  };

/** What an entry says of its host is what the item of the host has of it. */
export const checkClaim =
  (host: string, entry: string): Check =>
  (items) => {
    const examined = items.entry(entry);
    const state = items.host(host);
    const expected = examined?.claims.get(host);
    if (!examined || !state || !expected || examined.pending) return NONE;
    const actual = state.claims.get(entry);
    if (isDeepStrictEqual(actual, expected)) return addressFindings(host, entry, examined, state);
    const message = actual
      ? `what host "${host}" has of ServiceEntry ${entry} is not what the entry says`
      : `host "${host}" of ServiceEntry ${entry} does not know of it`;
    const both = [itemOfEntry(entry), hostItem(host)];
    const code = actual ? 'ClaimDiffers' : 'ClaimMissing';
    return [{ code, severity: 'error', items: both, message, mend: { kind: 'reapply', entry } }];
  };

/** A write of several transactions that nobody has finished. */
export const checkPending =
  (entry: string, { now }: FsckContext): Check =>
  (items) => {
    const examined = items.entry(entry);
    if (!examined?.pending || examined.pending.until > now) return NONE;
    const message = `a write of ServiceEntry ${entry} was announced and never finished`;
    const found = [itemOfEntry(entry)];
    return [{ code: 'PendingExpired', severity: 'error', items: found, message, mend: { kind: 'reapply', entry } }];
  };

/** Blocks of the pool that the entry's own addresses lie in. */
export function pinnedBlocks(examined: ExaminedEntry, pool: Pool): number[] {
  const { slots, blocks } = pinsOf(pool, [...examined.claims.values()]);
  return [...new Set([...[...slots].map(blockOfSlot), ...blocks])];
}

/** One entry and one block: the pins are those of the addresses that the entry writes. */
export const checkPin =
  (entry: string, pool: Pool, number: number): Check =>
  (items) => {
    const examined = items.entry(entry);
    const block = items.block(pool.id, number);
    if (!examined || !block || examined.pending) return NONE;
    const wanted = pinsOf(pool, [...examined.claims.values()]);
    const slots = new Set([...wanted.slots].filter((slot) => blockOfSlot(slot) === number));
    const pinned = new Set([...block.pinned].flatMap(([slot, entries]) => (entries.has(entry) ? slot : [])));
    const whole = block.pinnedWhole.has(entry);
    const both = [itemOfEntry(entry), blockItem(pool.id, number)];
    const findings: Finding[] = [];
    if (slots.difference(pinned).size > 0 || (wanted.blocks.has(number) && !whole)) {
      const message = `addresses of ServiceEntry ${entry} inside the pool are not kept from allocation`;
      findings.push({ code: 'PinMissing', severity: 'error', items: both, message, mend: { kind: 'reapply', entry } });
    }
    const stale = { slots: [...pinned.difference(slots)], whole: whole && !wanted.blocks.has(number) };
    if (stale.slots.length > 0 || stale.whole) {
      const message = `addresses are kept from allocation for ServiceEntry ${entry}, which does not write them`;
      const mend = { kind: 'unpin', poolId: pool.id, number, entry, ...stale } as const;
      findings.push({ code: 'PinWithoutEntry', severity: 'leftover', items: both, message, mend });
    }
    return findings;
  };
