import dynalite, { type Attributes, type Write } from 'dynalite/db/index.js';
import { checkInput, type WireObject } from './dynalite-operations.ts';
import { addressesOf, type ItemAddress, type ItemRequest, type Storage } from './item-address.ts';
import { checkWrite, oldItem } from './item-writes.ts';
import type { LevelStore } from './level-store.ts';
import { runAction } from './run-action.ts';
import {
  asServiceError,
  type CancellationReason,
  serializationError,
  transactionCanceled,
  validationError,
} from './service-error.ts';

const MAX_ACTIONS = 100;
const MAX_OCTETS = 4 * 1024 * 1024;

/** A ConditionCheck is a conditional delete whose writes are dropped. */
const actionNames = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'DeleteItem',
} as const;
type Kind = keyof typeof actionNames;

export interface Action {
  readonly kind: Kind;
  readonly input: WireObject;
  readonly data: ItemRequest;
}

type Outcome =
  | { readonly ok: true; readonly writes: readonly Write[]; readonly units: number; readonly octets: number }
  | { readonly ok: false; readonly reason: CancellationReason };

/** The actions of a TransactWriteItems. Throws a ServiceError for what DynamoDB refuses without looking at tables. */
export function parseActions(input: WireObject): Action[] {
  return itemsOf(input).map(parseAction);
}

/** TransactWriteItems: dynalite's own actions on the locked items, their writes in one batch or not at all. */
export async function transactWrite(
  { level, locks }: Storage,
  actions: readonly Action[],
  input: WireObject,
): Promise<WireObject> {
  const addresses = await distinctAddresses(
    level,
    actions.map((action) => action.data),
  );
  return locks.hold(
    addresses.map((address) => address.lock),
    async () => {
      const outcomes = await Promise.all(
        actions.map((action, i) => attempt(level, action, addresses[i] as ItemAddress)),
      );
      const done = outcomes.filter((outcome) => outcome.ok);
      if (done.length < outcomes.length) throw transactionCanceled(outcomes.map(reasonOf));
      checkOctets(done);
      await level.commit(done.flatMap((outcome) => outcome.writes));
      return consumedCapacity(input, 'WriteCapacityUnits', addresses, done);
    },
  );
}

/** TransactGetItems: one consistent state of all its items, as no writer holds any of them. */
export async function transactGet({ level, locks }: Storage, input: WireObject): Promise<WireObject> {
  const gets = itemsOf(input).map(parseGet);
  const addresses = await distinctAddresses(level, gets);
  return locks.hold(
    addresses.map((address) => address.lock),
    async () => {
      const outputs = (await Promise.all(gets.map((get) => runAction(level, 'GetItem', get)))).map(
        ({ output }) => output,
      );
      const items = outputs.map((output) => output.Item as Attributes | undefined);
      const reads = outputs.map((output, i) => ({ units: unitsOf(output), octets: dynalite.itemSize(items[i] ?? {}) }));
      checkOctets(reads);
      const Responses = items.map((Item) => (Item ? { Item } : {}));
      return { Responses, ...consumedCapacity(input, 'ReadCapacityUnits', addresses, reads) };
    },
  );
}

function itemsOf(input: WireObject): WireObject[] {
  const items = input.TransactItems;
  if (items == null) throw outOfRange('null', 'Member must not be null');
  if (!Array.isArray(items)) throw serializationError('Unexpected field type');
  if (items.length === 0) throw outOfRange("'[]'", 'Member must have length greater than or equal to 1');
  if (items.length > MAX_ACTIONS) {
    throw outOfRange(`of ${items.length} items`, `Member must have length less than or equal to ${MAX_ACTIONS}`);
  }
  return items.map((item) => item ?? {});
}

function outOfRange(value: string, constraint: string) {
  return validationError(
    `1 validation error detected: Value ${value} at 'transactItems' failed to satisfy constraint: ${constraint}`,
  );
}

function parseAction(item: WireObject): Action {
  const [kind, ...others] = (Object.keys(actionNames) as Kind[]).filter((name) => item[name] != null);
  if (!kind || others.length > 0) {
    throw validationError('TransactItems can only contain one of Check, Put, Update or Delete');
  }
  const input = structOf(item[kind]);
  if (kind === 'ConditionCheck' && input.ConditionExpression == null) {
    throw validationError('The ConditionCheck action needs a ConditionExpression');
  }
  return { kind, input, data: checkWrite(actionNames[kind], { ...input, ReturnConsumedCapacity: 'TOTAL' }) };
}

function parseGet(item: WireObject): ItemRequest {
  const get = { ...structOf(item.Get), ConsistentRead: true, ReturnConsumedCapacity: 'TOTAL' };
  return checkInput<ItemRequest>('GetItem', get);
}

function structOf(value: unknown): WireObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as WireObject;
  throw serializationError('Unexpected value type in payload');
}

async function distinctAddresses(level: LevelStore, requests: readonly ItemRequest[]): Promise<ItemAddress[]> {
  const addresses = await addressesOf(level, requests);
  if (new Set(addresses.map((address) => address.lock)).size < addresses.length) {
    throw validationError('Transaction request cannot include multiple operations on one item');
  }
  return addresses;
}

async function attempt(level: LevelStore, { kind, input, data }: Action, address: ItemAddress): Promise<Outcome> {
  try {
    const { output, writes } = await runAction(level, actionNames[kind], data);
    const stored = writes.findLast((write) => write.type === 'put')?.value ?? data.Key;
    const octets = dynalite.itemSize(stored as Attributes);
    return { ok: true, writes: kind === 'ConditionCheck' ? [] : writes, units: unitsOf(output), octets };
  } catch (error) {
    return { ok: false, reason: await reasonFor(level, error, input, address) };
  }
}

async function reasonFor(level: LevelStore, error: unknown, input: WireObject, address: ItemAddress) {
  const refusal = asServiceError(error);
  if (!refusal) throw error;
  const Code = refusal.code === 'ConditionalCheckFailedException' ? 'ConditionalCheckFailed' : 'ValidationError';
  const Item = await oldItem(level, refusal, input, address);
  return { Code, Message: refusal.message, ...(Item && { Item }) } as const;
}

function reasonOf(outcome: Outcome): CancellationReason {
  return outcome.ok ? { Code: 'None' } : outcome.reason;
}

function checkOctets(parts: readonly { readonly octets: number }[]): void {
  const total = parts.reduce((sum, part) => sum + part.octets, 0);
  if (total > MAX_OCTETS) throw validationError('The items of a transaction cannot exceed 4 MB in total');
}

/** What a transaction costs: twice what its parts cost alone. */
function consumedCapacity(
  input: WireObject,
  unit: 'ReadCapacityUnits' | 'WriteCapacityUnits',
  addresses: readonly ItemAddress[],
  parts: readonly { readonly units: number }[],
): WireObject {
  const detail = input.ReturnConsumedCapacity;
  if (detail !== 'TOTAL' && detail !== 'INDEXES') return {};
  const totals = new Map<string, number>();
  for (const [i, { table }] of addresses.entries()) {
    totals.set(table, (totals.get(table) ?? 0) + 2 * (parts[i]?.units ?? 0));
  }
  const ConsumedCapacity = Array.from(totals, ([TableName, units]) => {
    const both = { CapacityUnits: units, [unit]: units };
    return { TableName, ...both, ...(detail === 'INDEXES' && { Table: both }) };
  });
  return { ConsumedCapacity };
}

function unitsOf(output: WireObject): number {
  return (output.ConsumedCapacity as { CapacityUnits: number }).CapacityUnits;
}
