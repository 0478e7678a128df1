import { checkInput, isOperation, type OperationName, type WireObject } from './dynalite-operations.ts';
import { IdempotencyTokens } from './idempotency.ts';
import type { Storage } from './item-address.ts';
import { ItemLocks } from './item-locks.ts';
import { writeBatch, writeItem } from './item-writes.ts';
import type { LevelStore } from './level-store.ts';
import { runAction } from './run-action.ts';
import { ServiceError, validationError } from './service-error.ts';
import { changeTable } from './tables.ts';
import { parseActions, transactGet, transactWrite } from './transactions.ts';

const MAX_TOKEN_LENGTH = 36;

/** DynamoDB's operations over a LevelDB store. */
export class Engine {
  readonly #storage: Storage;
  readonly #tokens: IdempotencyTokens<WireObject>;

  constructor(level: LevelStore, now: () => number) {
    this.#storage = { level, locks: new ItemLocks() };
    this.#tokens = new IdempotencyTokens(now);
  }

  /** Rejects with a ServiceError where DynamoDB refuses; any other rejection is a fault of the store. */
  async execute(operation: string, input: WireObject): Promise<WireObject> {
    if (operation === 'TransactWriteItems') return this.#transactWrite(input);
    if (operation === 'TransactGetItems') return transactGet(this.#storage, input);
    if (!isOperation(operation)) {
      throw new ServiceError(400, { __type: 'com.amazon.coral.service#UnknownOperationException', message: operation });
    }
    return this.#executeOperation(operation, input);
  }

  #executeOperation(name: OperationName, input: WireObject): Promise<WireObject> {
    switch (name) {
      case 'PutItem':
      case 'UpdateItem':
      case 'DeleteItem':
        return writeItem(this.#storage, name, input);
      case 'BatchWriteItem':
        return writeBatch(this.#storage, input);
      case 'CreateTable':
      case 'UpdateTable':
      case 'DeleteTable':
        return changeTable(this.#storage, name, input);
      default:
        return this.#read(name, input);
    }
  }

  async #read(name: OperationName, input: WireObject): Promise<WireObject> {
    const { output } = await runAction(this.#storage.level, name, checkInput(name, input));
    return name === 'BatchGetItem' ? withWholeRequests(output, input) : output;
  }

  async #transactWrite(input: WireObject): Promise<WireObject> {
    const actions = parseActions(input);
    const token = input.ClientRequestToken;
    if (token == null) return transactWrite(this.#storage, actions, input);
    if (typeof token !== 'string' || token.length < 1 || token.length > MAX_TOKEN_LENGTH) {
      throw validationError(`The clientRequestToken must have 1 to ${MAX_TOKEN_LENGTH} characters`);
    }
    return this.#tokens.once(token, input, () => transactWrite(this.#storage, actions, input));
  }
}

/** dynalite's UnprocessedKeys lack the projection; DynamoDB's can be sent again as they are. */
function withWholeRequests(output: WireObject, input: WireObject): WireObject {
  const requests = input.RequestItems as Record<string, object>;
  const unprocessed = Object.entries(output.UnprocessedKeys as Record<string, { Keys: object[] }>);
  const whole = unprocessed.map(([table, { Keys }]) => [table, { ...requests[table], Keys }]);
  return { ...output, UnprocessedKeys: Object.fromEntries(whole) };
}
