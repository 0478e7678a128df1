import type { Attributes } from 'dynalite/db/index.js';
import { checkInput, type WireObject } from './dynalite-operations.ts';
import { addressesOf, type ItemAddress, type ItemRequest, type Storage } from './item-address.ts';
import { readItem } from './level-layout.ts';
import type { LevelStore } from './level-store.ts';
import { runAction } from './run-action.ts';
import { asServiceError, ServiceError } from './service-error.ts';

export type WriteName = 'PutItem' | 'UpdateItem' | 'DeleteItem';

/**
 * Checked input of a single write. An update of a missing item starts from its key, which must inherit nothing
 * lest an attribute named `constructor` seem to be there.
 */
export function checkWrite(name: WriteName, input: object): ItemRequest {
  const data = checkInput<ItemRequest>(name, input);
  return data.Key ? { ...data, Key: Object.assign(Object.create(null), data.Key) } : data;
}

/** PutItem, UpdateItem and DeleteItem: the item and its index rows in one batch. */
export async function writeItem({ level, locks }: Storage, name: WriteName, input: WireObject): Promise<WireObject> {
  const data = checkWrite(name, input);
  const [address] = (await addressesOf(level, [data])) as [ItemAddress];
  return locks.hold([address.lock], async () => {
    try {
      const { output, writes } = await runAction(level, name, data);
      await level.commit(writes);
      return output;
    } catch (error) {
      throw await withOldItem(level, error, input, address);
    }
  });
}

/** BatchWriteItem: DynamoDB makes each of its writes atomic, here the whole batch is. */
export async function writeBatch({ level, locks }: Storage, input: WireObject): Promise<WireObject> {
  const data = checkInput<{ RequestItems: Record<string, BatchRequest[]> }>('BatchWriteItem', input);
  const requests = Object.entries(data.RequestItems).flatMap(([TableName, batch]) =>
    batch.map((one) => ({ TableName, ...one.PutRequest, ...one.DeleteRequest })),
  );
  const addresses = await addressesOf(level, requests);
  return locks.hold(
    addresses.map((address) => address.lock),
    async () => {
      const { output, writes } = await runAction(level, 'BatchWriteItem', data);
      await level.commit(writes);
      return output;
    },
  );
}

interface BatchRequest {
  readonly PutRequest?: { readonly Item: Attributes };
  readonly DeleteRequest?: { readonly Key: Attributes };
}

/**
 * The item that made a condition fail, when the request asks for it (dynalite does not know the parameter).
 * The caller holds the item's lock, so this is the item the condition saw.
 */
export async function oldItem(
  level: LevelStore,
  refusal: ServiceError,
  input: WireObject,
  { table, key }: ItemAddress,
): Promise<Attributes | undefined> {
  if (refusal.code !== 'ConditionalCheckFailedException') return undefined;
  if (input.ReturnValuesOnConditionCheckFailure !== 'ALL_OLD') return undefined;
  return readItem(level, table, key);
}

async function withOldItem(
  level: LevelStore,
  error: unknown,
  input: WireObject,
  address: ItemAddress,
): Promise<unknown> {
  const refusal = asServiceError(error);
  if (!refusal) return error;
  const item = await oldItem(level, refusal, input, address);
  return item ? new ServiceError(refusal.statusCode, { ...refusal.body, Item: item }) : refusal;
}
