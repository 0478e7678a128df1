import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { LRUCache } from 'lru-cache';
import type { HostClaim } from '../serviceentry/claim.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { marshalKey } from './dynamodb-update.ts';
import { belowItem, type ItemKey, SUFFIXES } from './keys.ts';
import { scopesOf } from './scopes.ts';
import { namesAbove, type SuffixSet, suffixMembers } from './suffixes.ts';

/** `fsck` retires a name only after an hour without hosts below it, so what was seen this recently still stands. */
const KNOWN_MS = 600_000;
const MOST_KNOWN = 50_000;

/** The names above the hosts of these claims, and who may know of each. */
export function scopesAbove(claims: readonly HostClaim[]): ReadonlyMap<string, ReadonlySet<string>> {
  const above = new Map<string, Set<string>>();
  for (const claim of claims) {
    for (const name of namesAbove(claim.host)) {
      above.set(name, (above.get(name) ?? new Set<string>()).union(new Set(scopesOf(claim))));
    }
  }
  return above;
}

/** Makes claims findable; `known` is what the suffix set was read to hold. */
export type MakeFindable = (claims: readonly HostClaim[], known: SuffixSet, signal: AbortSignal) => Promise<void>;

/**
 * Readers skip names that cannot be registered, so what can be must be in the table before it is. Both sets are only
 * ever added to here: a name too many costs a read, a name too few hides a host.
 */
export function createMakeFindable({ client, table }: TableClient): MakeFindable {
  const known = new LRUCache<string, true>({ max: MOST_KNOWN, ttl: KNOWN_MS });

  async function add(
    key: ItemKey,
    attribute: string,
    members: { NS: string[] } | { SS: string[] },
    signal: AbortSignal,
  ) {
    const command = new UpdateItemCommand({
      TableName: table,
      Key: marshalKey(key),
      UpdateExpression: 'ADD #set :members',
      ExpressionAttributeNames: { '#set': attribute },
      ExpressionAttributeValues: { ':members': members },
    });
    await client.send(command, { abortSignal: signal });
  }

  async function addScopes(name: string, scopes: readonly string[], signal: AbortSignal): Promise<void> {
    const missing = scopes.filter((scope) => !known.has(`${scope}/${name}`));
    if (missing.length === 0) return;
    await add(belowItem(name), 'scopes', { SS: missing }, signal);
    for (const scope of missing) known.set(`${scope}/${name}`, true);
  }

  async function addMembers(members: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    const missing = [...members].filter((member) => !known.has(`${member}`));
    if (missing.length === 0) return;
    await add(SUFFIXES, 'members', { NS: missing.map(String) }, signal);
    for (const member of missing) known.set(`${member}`, true);
  }

  return async (claims, suffixes, signal) => {
    await Promise.all([
      addMembers(new Set(claims.flatMap(suffixMembers)).difference(suffixes), signal),
      ...[...scopesAbove(claims)].map(([name, scopes]) => addScopes(name, [...scopes], signal)),
    ]);
  };
}
