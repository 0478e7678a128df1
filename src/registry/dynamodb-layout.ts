import { ConditionalCheckFailedException, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { claimsOf } from '../serviceentry/claims.ts';
import { decodeEntry, type Item } from './dynamodb-items.ts';
import { queryPartition } from './dynamodb-partition.ts';
import { batchGet, type TableClient } from './dynamodb-snapshot.ts';
import { marshalKey } from './dynamodb-update.ts';
import { RegistryLayoutError } from './errors.ts';
import { ENTRIES, keyText, SUFFIXES } from './keys.ts';
import { entriesOf } from './next-transaction.ts';
import { SUFFIX_LAYOUT, suffixMembers } from './suffixes.ts';

/** By which rule the suffix set was made; 0 when it does not say. */
export const layoutOf = (suffixes: Item | null | undefined): number => Number(suffixes?.layout?.N ?? 0);

async function readLayout(source: TableClient, signal: AbortSignal): Promise<number> {
  return layoutOf((await batchGet(source, [SUFFIXES], true, signal)).get(keyText(SUFFIXES)));
}

/** The suffixes that the entries of the table need. */
async function neededMembers(source: TableClient, signal: AbortSignal): Promise<ReadonlySet<number>> {
  const members = new Set<number>();
  for await (const item of queryPartition(source, { pk: ENTRIES }, signal)) {
    const claims = entriesOf(decodeEntry(item)).flatMap(claimsOf);
    for (const member of claims.flatMap(suffixMembers)) members.add(member);
  }
  return members;
}

/**
 * Gives the suffix set the layout of this build: what the entries need is added, and from then on readers trust it.
 * What was there stays until fsck retires it.
 * @throws RegistryLayoutError when a newer build has made it.
 */
export async function settleLayout(source: TableClient, signal: AbortSignal): Promise<void> {
  const before = await readLayout(source, signal);
  if (before > SUFFIX_LAYOUT) throw new RegistryLayoutError(before, SUFFIX_LAYOUT);
  if (before === SUFFIX_LAYOUT) return;
  const members = await neededMembers(source, signal);
  const add = members.size > 0 ? ' ADD members :members' : '';
  const command = new UpdateItemCommand({
    TableName: source.table,
    Key: marshalKey(SUFFIXES),
    UpdateExpression: `SET layout = :layout${add}`,
    ConditionExpression: before === 0 ? 'attribute_not_exists(layout)' : 'layout = :before',
    ExpressionAttributeValues: {
      ':layout': { N: String(SUFFIX_LAYOUT) },
      ...(before === 0 ? {} : { ':before': { N: String(before) } }),
      ...(add ? { ':members': { NS: [...members].map(String) } } : {}),
    },
  });
  try {
    await source.client.send(command, { abortSignal: signal });
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    // Another process has settled it meanwhile, perhaps one of a newer build.
    await settleLayout(source, signal);
  }
}
