import type { WireObject } from './dynalite-operations.ts';
import { internalServerError, type ServiceError, serviceError, transactionCanceled } from './service-error.ts';

/** One call of a client, a retry counting as another one. */
export interface Call {
  readonly operation: string;
  /** DynamoDB's JSON form. */
  readonly input: WireObject;
  /** 1 for the client's first call. */
  readonly n: number;
}

/** What can happen to an answer that is ready. */
export type LateFault =
  | { readonly kind: 'internalError' }
  /** The connection breaks: the SDK cannot know whether the call was executed. */
  | { readonly kind: 'lostConnection' }
  /** No answer until the SDK's AbortSignal fires or, when given, `afterMs` have passed. */
  | { readonly kind: 'timeout'; readonly afterMs?: number }
  /** The client's process dies here: none of its calls ever completes again. */
  | { readonly kind: 'kill' };

/** What can happen instead of executing a call. */
export type Fault =
  | LateFault
  /** Another transaction holds items: these of the transaction (by position), all when absent. */
  | { readonly kind: 'conflict'; readonly items?: readonly number[] }
  | {
      readonly kind: 'throttled';
      readonly exception?: 'ProvisionedThroughputExceededException' | 'ThrottlingException' | 'RequestLimitExceeded';
    }
  /** BatchGetItem reads the first `processed` keys and returns the others as UnprocessedKeys. */
  | { readonly kind: 'unprocessedKeys'; readonly processed: number };

/** Hooks into every call of one client. A promise delays the call, so tests can interleave clients. */
export interface Faults {
  /** Before the call is executed: a fault takes its place. */
  before?(call: Call): Fault | undefined | Promise<Fault | undefined>;
  /** After the call was executed, whatever its outcome, before it is answered. */
  after?(call: Call): LateFault | undefined | Promise<LateFault | undefined>;
}

type RefusalFault = Extract<Fault, { kind: 'conflict' | 'throttled' | 'internalError' }>;

/** What DynamoDB answers when this happens. */
export function refusalOf(fault: RefusalFault, { input }: Call): ServiceError {
  switch (fault.kind) {
    case 'internalError':
      return internalServerError();
    case 'throttled':
      return serviceError(fault.exception ?? 'ProvisionedThroughputExceededException', 'Rate exceeded');
    case 'conflict':
      return conflict(input, fault.items);
  }
}

function conflict(input: WireObject, items: readonly number[] | undefined): ServiceError {
  const actions = input.TransactItems;
  const Message = 'Transaction is ongoing for the item';
  if (!Array.isArray(actions)) return serviceError('TransactionConflictException', Message);
  const isHeld = (position: number) => items === undefined || items.includes(position);
  return transactionCanceled(
    actions.map((_, i) => (isHeld(i) ? { Code: 'TransactionConflict', Message } : { Code: 'None' })),
  );
}

interface TableKeys {
  readonly Keys: readonly object[];
}

/** Splits a BatchGetItem after its first `processed` keys. */
export function splitKeys(
  input: WireObject,
  processed: number,
): { first: WireObject; rest: Record<string, TableKeys> } {
  const first: Record<string, TableKeys> = {};
  const rest: Record<string, TableKeys> = {};
  let room = processed;
  for (const [table, request] of Object.entries(input.RequestItems as Record<string, TableKeys>)) {
    const taken = request.Keys.slice(0, room);
    const left = request.Keys.slice(room);
    if (taken.length > 0) first[table] = { ...request, Keys: taken };
    if (left.length > 0) rest[table] = { ...request, Keys: left };
    room -= taken.length;
  }
  return { first: { ...input, RequestItems: first }, rest };
}
