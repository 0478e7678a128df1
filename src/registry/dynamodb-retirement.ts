import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Item } from './dynamodb-items.ts';
import { layoutOf } from './dynamodb-layout.ts';
import type { TableClient } from './dynamodb-snapshot.ts';
import { marshalKey } from './dynamodb-update.ts';
import type { Finding } from './fsck.ts';
import { hostOfPartition, type ItemKey } from './keys.ts';
import { EVERY_SUFFIX, SUFFIX_LAYOUT, type SuffixSet } from './suffixes.ts';

/**
 * How names cease to be findable while writers go on relying on them. A name without hosts is first moved from the set
 * that writers read (`members`, `scopes`) to one that only readers honour too (`retiring`): a writer that comes later
 * finds it absent and adds it again, before its transaction; one that relied on it has committed, or is gone, within
 * its deadline. An hour later whoever finds that a second look at every host still needs it moves it back, and else
 * takes it away. So at no instant is a registered host not findable, whatever the two looks have missed.
 */
export const RETIRE_AFTER_MS = 3_600_000;

const numbers = (item: Item, attribute: string): number[] => (item[attribute]?.NS ?? []).map(Number);

/** The suffix set as readers honour it. */
export const decodeFindable = (item: Item): ReadonlySet<number> =>
  new Set([...numbers(item, 'members'), ...numbers(item, 'retiring')]);

/** Which names readers look up: all of them, where the set is of another layout than theirs. */
export const decodeLookedUp = (item: Item): Pick<SuffixSet, 'has'> =>
  layoutOf(item) === SUFFIX_LAYOUT ? decodeFindable(item) : EVERY_SUFFIX;

/** Who may know that hosts exist below a name, as readers honour it. */
export const decodeScopes = (item: Item): ReadonlySet<string> =>
  new Set([...(item.scopes?.SS ?? []), ...(item.retiring?.SS ?? [])]);

/** A set of names in the table, in the part that writers rely on and the part that is on its way out. */
export interface FindableSet {
  readonly key: ItemKey;
  readonly attribute: 'members' | 'scopes';
  readonly type: 'NS' | 'SS';
  readonly kept: readonly string[];
  readonly retiring: readonly string[];
  /** When they were set aside, in milliseconds since the epoch. */
  readonly since: number;
}

export function findableSet(key: ItemKey, item: Item): FindableSet {
  const attribute = item.members || key.sk === 'suffixes' ? 'members' : 'scopes';
  const type = attribute === 'members' ? 'NS' : 'SS';
  const since = Number(item.retiringSince?.N ?? 0);
  return { key, attribute, type, kept: item[attribute]?.[type] ?? [], retiring: item.retiring?.[type] ?? [], since };
}

/** What is told of a set with members that no host needs, or that has been told so before. */
export function unusedFinding({ key, attribute, kept, retiring, since }: FindableSet, unused: number): Finding {
  const decided = new Date(since + RETIRE_AFTER_MS).toISOString();
  const what =
    retiring.length > 0
      ? `${retiring.length} are set aside, and decided on by a run with --repair that begins after ${decided}`
      : `${unused} of ${kept.length} belong to no host`;
  const [code, where] =
    attribute === 'members'
      ? (['SuffixUnused', 'of the suffixes that hosts can have'] as const)
      : (['ScopeUnused', `of those who may know hosts below "${hostOfPartition(key.pk)}"`] as const);
  return { code, severity: 'leftover', items: [key], message: `${where}, ${what}` };
}

interface Expressions {
  readonly update: string;
  readonly condition: string;
  readonly names: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, AttributeValue>>;
}

async function updateIf(
  { client, table }: TableClient,
  key: ItemKey,
  { update, condition, names, values }: Expressions,
  signal: AbortSignal,
) {
  const command = new UpdateItemCommand({
    TableName: table,
    Key: marshalKey(key),
    UpdateExpression: update,
    ConditionExpression: condition,
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  });
  await client.send(command, { abortSignal: signal });
}

const setOf = (type: 'NS' | 'SS', members: readonly string[]): AttributeValue =>
  type === 'NS' ? { NS: [...members] } : { SS: [...members] };

const NAMES = { '#retiring': 'retiring', '#since': 'retiringSince' };

/** First step: out of what writers rely on. */
function setAside(source: TableClient, set: FindableSet, unused: readonly string[], now: number, signal: AbortSignal) {
  const expressions = {
    update: 'DELETE #kept :unused ADD #retiring :unused SET #since = :now',
    condition: 'attribute_not_exists(#retiring)',
    names: { ...NAMES, '#kept': set.attribute },
    values: { ':unused': setOf(set.type, unused), ':now': { N: String(now) } },
  };
  return updateIf(source, set.key, expressions, signal);
}

/** Second step: back for what has got a host, away with the rest. */
async function conclude(source: TableClient, set: FindableSet, back: readonly string[], signal: AbortSignal) {
  const since = { ':since': { N: String(set.since) } };
  // The suffix set stays: it says of which layout the table is.
  if (back.length === 0 && set.kept.length === 0 && set.attribute === 'scopes') {
    const command = new DeleteItemCommand({
      TableName: source.table,
      Key: marshalKey(set.key),
      ConditionExpression: '#since = :since AND attribute_not_exists(#kept)',
      ExpressionAttributeNames: { '#since': 'retiringSince', '#kept': set.attribute },
      ExpressionAttributeValues: since,
    });
    await source.client.send(command, { abortSignal: signal });
    return;
  }
  const add = back.length > 0 ? ' ADD #kept :back' : '';
  const expressions = {
    update: `REMOVE #retiring, #since${add}`,
    condition: '#since = :since',
    names: { ...NAMES, ...(back.length > 0 ? { '#kept': set.attribute } : {}) },
    values: { ...since, ...(back.length > 0 ? { ':back': setOf(set.type, back) } : {}) },
  };
  await updateIf(source, set.key, expressions, signal);
}

/** A look at every host, begun at `startedAt`: whether one of them needs a name. */
export interface Look {
  readonly startedAt: number;
  readonly now: number;
  readonly needs: (member: string) => boolean;
}

/**
 * The next step of retirement, if its time has come. A look counts for the second step only if it began an hour after
 * the first.
 */
export async function retire(
  source: TableClient,
  set: FindableSet,
  { startedAt, now, needs }: Look,
  signal: AbortSignal,
): Promise<'started' | 'done' | 'changedMeanwhile'> {
  const unused = set.kept.filter((member) => !needs(member));
  try {
    if (set.retiring.length > 0) {
      if (set.since + RETIRE_AFTER_MS > startedAt) return 'started';
      await conclude(source, set, set.retiring.filter(needs), signal);
      return 'done';
    }
    await setAside(source, set, unused, now, signal);
    return 'started';
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return 'changedMeanwhile';
    throw error;
  }
}
